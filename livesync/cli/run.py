"""`indico_livesync agent ... run|export|simulate|add_task`: agents run by hand (reference 4.4)."""

from __future__ import annotations

import argparse
import logging
import sys
import threading

import transaction
from dateutil.rrule import MINUTELY
from ZODB.Connection import Connection

from livesync.cli.progress import progress
from livesync.delivery.deliverer import FAILED, UP_TO_DATE, Delivered, Deliverer
from livesync.delivery.dispatcher import DeliveryDispatcher
from livesync.delivery.push_agent import push_agent
from livesync.delivery.status import status_of
from livesync.errors import AgentExecutionException
from livesync.feed.manager import SyncManager
from livesync.feed.position_text import position_till
from livesync.resync.full_export import FullExport
from livesync.resync.inventory import everything, inventory_named
from livesync.resync.verification import Verification
from livesync.tasks import LiveSyncUpdateTask
from scheduler import Client
from scheduler.runtime.stop_signals import on_stop_signals
from scheduler.values.console import as_json, as_text

EXPORT_QUESTION = (
    "This will export all the data to the remote service using the agent (takes LONG). "
    "Are you sure? [y/N] "
)


def add_task(connection: Connection, options: argparse.Namespace) -> int:
    """Enqueue the task that runs the agents."""
    push_agent(connection, options.agent_id)
    Client(connection).enqueue(LiveSyncUpdateTask(MINUTELY, interval=options.interval))
    transaction.commit()
    return 0


def simulate(connection: Connection, options: argparse.Namespace) -> int:
    """Print the records that the agent would send, and send nothing."""
    agent = push_agent(connection, options.agent_id)
    for record in agent.preview(_till(connection, options)):
        print(agent.record_str(record))
    return 0


def export(connection: Connection, options: argparse.Namespace) -> int:
    """Send all there is, as of one moment; the agent follows from there."""
    push_agent(connection, options.agent_id)
    inventory = inventory_named(options.inventory) if options.inventory else everything
    if not options.yes and not agreed(EXPORT_QUESTION):
        return 1
    with progress(f"to {options.agent_id}", None) as show:
        full_export = FullExport(
            connection.db(),
            options.agent_id,
            inventory=inventory,
            anew=options.anew,
            progress=show,
        )
        sent = full_export.send()
    follows = "what is recorded first" if sent.position is None else f"position {sent.position}"
    print(f"{sent.records} records are sent; the agent follows from {follows}")
    return 0


def verify(connection: Connection, options: argparse.Namespace) -> int:
    """Compare what the agent's target has with the database; 1 if that differs, and stays so."""
    inventory = inventory_named(options.inventory) if options.inventory else everything
    verification = Verification(connection.db(), options.agent_id, inventory=inventory)
    found = verification.run(repair=options.repair)
    if options.json:
        facts = found._asdict()
        print(as_json({**facts, "differences": [row._asdict() for row in found.differences]}))
    else:
        for row in found.differences:
            print(f"{row.what}: {as_text(row.obj_id)}")
        print(
            f"{found.compared} objects compared, {len(found.differences)} differ, "
            f"{found.repaired} repaired; {found.on_the_way} are on the way"
        )
    return int(found.repaired < len(found.differences))


def run(connection: Connection, options: argparse.Namespace) -> int:
    """Deliver what is new now, or up to a position; say how it went."""
    delivered = _delivered(connection, options.agent_id, _till(connection, options))
    print(as_json(delivered._asdict()) if options.json else delivered)
    return 0 if delivered.outcome == UP_TO_DATE else 1


def _till(connection: Connection, options: argparse.Namespace) -> int | None:
    """Return the position up to which is asked for, be it by the token of a transaction."""
    given: int | str | None = options.till
    if not isinstance(given, str):
        return given
    return position_till(SyncManager.getDBInstance(connection), given)


def follow(connection: Connection, options: argparse.Namespace) -> int:
    """Deliver to the active agents whatever is committed, until SIGINT or SIGTERM."""
    follower = DeliveryDispatcher(connection.db())
    if options.until_eof:
        threading.Thread(target=_stop_at_eof, args=(follower,), daemon=True).start()
    with on_stop_signals(lambda _: follower.stop()):
        follower.run()
    return 0


def _stop_at_eof(follower: DeliveryDispatcher) -> None:
    # The end of standard input means that the parent process has ended.
    sys.stdin.read()
    follower.stop()


def agreed(question: str) -> bool:
    """Ask *question* on the terminal; say whether the answer was y or Y."""
    print(question, end="", flush=True)
    return sys.stdin.readline().strip() in {"y", "Y"}


def _delivered(connection: Connection, agent_id: str, till: int | None = None) -> Delivered:
    silent = logging.getLogger(f"{__name__}.silent")
    silent.disabled = True  # the failure is told below, once
    agent = push_agent(connection, agent_id)
    expected = status_of(agent, SyncManager.getDBInstance(connection)).lag_records
    with progress(f"to {agent_id}", expected) as show:
        deliverer = Deliverer(connection.db(), agent_id, logger=silent, progress=show)
        delivered = deliverer.deliver(None, till)
    connection.sync()
    if delivered.outcome == FAILED:
        raise AgentExecutionException(f"agent {agent_id!r} failed: {delivered.reason}")
    return delivered
