"""Direct sending: records that do not come from the track."""

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
    """Send *records*, whose objects belong to *connection*, by *agent*; return the results.

    Single ones that are refused are among the results, to be entered in the agent's state.
    Raises AgentExecutionException where the target fails.
    """
    delivery = BatchDelivery(agent.delivery_state.dead_letters)
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
