"""The agents that send at present, each with its delivery."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from livesync.delivery.batch import BatchDelivery

# By the object and not by its id as an agent: each connection, and so each run, has its own.
_deliveries: dict[int, BatchDelivery] = {}


def delivery_of(agent: Any) -> BatchDelivery | None:
    """Return the delivery in which this very object sends at present, if any."""
    return _deliveries.get(id(agent))


@contextmanager
def delivering(agent: Any, delivery: BatchDelivery) -> Iterator[BatchDelivery]:
    """Have the object *agent* send within *delivery* meanwhile."""
    outer = _deliveries.get(id(agent))
    _deliveries[id(agent)] = delivery
    try:
        yield delivery
    finally:
        if outer is None:
            del _deliveries[id(agent)]
        else:
            _deliveries[id(agent)] = outer
