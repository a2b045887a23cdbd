"""Direct sending: records that go to an agent's target beside what the track tells."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from livesync.delivery.batch import (
    BatchDelivery,
    BatchResults,
    Stopped,
    reason_of,
    set_current_delivery,
)
from livesync.delivery.push_agent import PushSyncAgent
from livesync.errors import AgentExecutionException
from livesync.records.reduction import Record

log = logging.getLogger(__name__)


def send_directly(
    agent: PushSyncAgent, records: Iterable[Record], connection: Connection
) -> BatchResults:
    """Let *agent* send *records*, whose objects belong to *connection*; return what came of each.

    Single ones that are refused are among the results, to be entered in the agent's ledger.
    Raises AgentExecutionException where the target fails.
    """
    delivery = BatchDelivery(agent.ledger.letters)
    set_current_delivery(delivery)
    try:
        if agent._run(delivery.records(lambda: records), logger=log, dbi=connection) is None:
            raise AgentExecutionException("the run reported a failure, without saying which")
        delivery.end_well()
    except (POSKeyError, Stopped):
        raise
    except Exception as error:
        raise AgentExecutionException(reason_of(error)) from error
    finally:
        set_current_delivery(None)
    return delivery.collect()
