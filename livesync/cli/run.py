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
from livesync.errors import AgentExecutionException, LiveSyncException
from livesync.feed.manager import SyncManager
from livesync.feed.position_text import position_till
from livesync.resync.full_export import FullExport
from livesync.resync.inventory import everything, inventory_named
from livesync.resync.verification import Verification
from livesync.tasks import LiveSyncUpdateTask
from scheduler import Client
from scheduler.runtime.stop_signals import on_stop_signals
from scheduler.store.snapshot import give_back_between
from scheduler.values.console import answer, as_json, as_text

EXPORT_QUESTION = (
    "This will export all the data to the remote service using the agent (takes LONG). "
    "Are you sure? [y/N] "
)


def add_task(connection: Connection, options: argparse.Namespace) -> int:
    """Enqueue the task that runs the agents."""
    push_agent(connection, options.agent_id)
    task = LiveSyncUpdateTask(MINUTELY, interval=options.interval)
    Client(connection).enqueue(task)
    transaction.commit()
    if options.json:
        answer(options, {"task": task.getId()}, "")
    return 0


def simulate(connection: Connection, options: argparse.Namespace) -> int:
    """Print the records that the agent would send, and send nothing."""
    agent = push_agent(connection, options.agent_id)
    lines = [agent.record_str(record) for record in agent.preview(_till(connection, options))]
    if options.json:
        print(as_json([{"record": line} for line in lines]))
    else:
        print(*lines, sep="\n", end="\n" if lines else "")
    return 0


def export(connection: Connection, options: argparse.Namespace) -> int:
    """Send all there is, as of one moment; the agent follows from there."""
    push_agent(connection, options.agent_id)
    inventory = inventory_named(options.inventory) if options.inventory else everything
    if not agreed(options, EXPORT_QUESTION):
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
    text = f"{sent.records} records are sent; the agent follows from {follows}"
    answer(options, sent._asdict(), text)
    return 0


def verify(connection: Connection, options: argparse.Namespace) -> int:
    """Compare what the agent's target has with the database; 1 if that differs, and stays so."""
    inventory = inventory_named(options.inventory) if options.inventory else everything
    with progress("objects compared") as show:
        verification = Verification(
            connection.db(), options.agent_id, inventory=inventory, progress=show
        )
        found = verification.run(repair=options.repair)
    lines = [f"{row.what}: {as_text(row.obj_id)}" for row in found.differences]
    lines.append(
        f"{found.compared} objects compared, {len(found.differences)} differ, "
        f"{found.repaired} repaired; {found.on_the_way} are on the way"
    )
    facts = {**found._asdict(), "differences": [row._asdict() for row in found.differences]}
    answer(options, facts, "\n".join(lines))
    return int(found.repaired < len(found.differences))


def run(connection: Connection, options: argparse.Namespace) -> int:
    """Deliver what is new now, or up to a position; say how it went."""
    delivered = _delivered(connection, options.agent_id, _till(connection, options))
    answer(options, delivered._asdict(), str(delivered))
    return 0 if delivered.outcome == UP_TO_DATE else 1


def _till(connection: Connection, options: argparse.Namespace) -> int | None:
    """Return the position up to which is asked for, be it by the token of a transaction."""
    given: int | str | None = options.till
    if not isinstance(given, str):
        return given
    return position_till(SyncManager.getDBInstance(connection), given)


def follow(connection: Connection, options: argparse.Namespace) -> int:
    """Deliver to the active agents whatever is committed, until SIGINT or SIGTERM."""
    give_back_between(connection)
    transaction.abort()
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


def agreed(options: argparse.Namespace, *questions: str) -> bool:
    """Ask *questions* on the terminal, unless `--yes` was given; say if each answer was y or Y.

    Raises LiveSyncException with `--json`, which asks nobody.
    """
    if options.yes:
        return True
    if options.json:
        raise LiveSyncException("--json asks nobody: give --yes, too")
    return all(_agreed(question) for question in questions)


def _agreed(question: str) -> bool:
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
