"""Bulk orders, carried out in steps, between which instructions and due tasks have their turn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import islice
from typing import Any

from scheduler.dispatch.steps import Steps
from scheduler.inbox import spool
from scheduler.inbox.spool import Instruction
from scheduler.shelves.bulk_order import BulkOrder
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.shelved import Shelved
from scheduler.shelves.walk import walk
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of

log = logging.getLogger(__name__)

# Tasks that a step changes, and those that it looks at, at most.
CHANGED = 100
LOOKED_AT = 500


class BulkOrders:
    """Carries out bulk orders on *module*, one step a tick; *perform* carries out instructions."""

    def __init__(
        self, module: SchedulerModule, steps: Steps, perform: Callable[[Instruction], None]
    ) -> None:
        self._module = module
        self._steps = steps
        self._perform = perform

    def step(self, stored: tuple[Any, ...]) -> None:
        """Carry out the next step of the order that was stored so, and spool the rest."""
        order = BulkOrder(*stored)
        chosen: list[Shelved] = []
        looked_at, behind = 0, order.behind
        rest = walk(self._module, order.filter, order.behind, has_spool=False)
        for found in islice(rest, LOOKED_AT):
            looked_at, behind = looked_at + 1, found.position
            if _is_meant(order, found):
                chosen.append(found)
                if len(chosen) == CHANGED:
                    break
        for found in chosen:
            self._perform(order.instruction(found))
        order = order._replace(behind=behind, done=order.done + len(chosen))
        if looked_at == LOOKED_AT or len(chosen) == CHANGED:
            self._module.spool(spool.BULK, tuple(order))
            self._steps.has_more = True
        else:
            log.info("order to %s tasks by a filter carried out: %d tasks", order.verb, order.done)


def _is_meant(order: BulkOrder, found: Shelved) -> bool:
    try:
        return order.means(found)
    except Exception as error:
        if is_transient(error):
            raise
        log.warning("a task is left out of an order to %s: %s", order.verb, reason_of(error))
        return False
