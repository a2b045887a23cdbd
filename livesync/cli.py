"""`indico_livesync`: look at the track and the agents, and run them by hand (reference 4.4)."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import transaction
from dateutil.rrule import MINUTELY
from ZODB.Connection import Connection

from livesync.agent import PushSyncAgent, SyncManager
from livesync.errors import AgentExecutionException, LiveSyncException
from livesync.tasks import LiveSyncUpdateTask
from scheduler import Client
from scheduler.errors import SchedulerException
from scheduler.store import connect

QUESTIONS = (
    "Are you sure you want to empty the MPT? [y/N] ",
    "Really... is this what you want? [y/N] ",
)
EXPORT_QUESTION = (
    "This will export all the data to the remote service using the agent (takes LONG). "
    "Are you sure? [y/N] "
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* (those of the process for None) say; return the exit status.

    1 for a refusal or a failure, told on stderr. argparse ends with 2 on wrong usage.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        with connect(getattr(options, "database", None)) as connection:
            status: int = options.command(connection, options)
            return status
    except (LiveSyncException, SchedulerException) as error:
        print(f"indico_livesync: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read this has had enough: what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def list_track(connection: Connection, options: argparse.Namespace) -> int:
    """Print the entries of the track, newest first."""
    track = SyncManager.getDBInstance(connection).getTrack()
    behind = None if options.start is None else options.start - 1
    if options.pointer is not None:
        behind = track.getPointerTimestamp(options.pointer)
    items: Iterator[tuple[int, Any]] = track.iterate(behind, options.to)
    for position, action in items:
        print(position, action)
    return 0


def destroy(connection: Connection, options: argparse.Namespace) -> int:
    """Empty the track, and drop the agents, after asking twice."""
    if not all(_agreed(question) for question in QUESTIONS):
        return 1
    SyncManager.getDBInstance(connection).reset(trackOnly=options.track_only)
    transaction.commit()
    return 0


def add_task(connection: Connection, options: argparse.Namespace) -> int:
    """Enqueue the task that runs the agents."""
    _agent(connection, options)
    Client(connection).enqueue(LiveSyncUpdateTask(MINUTELY, interval=options.interval))
    transaction.commit()
    return 0


def simulate(connection: Connection, options: argparse.Namespace) -> int:
    """Print the records that the agent would send, and send nothing."""
    agent = _agent(connection, options)
    for record in agent.preview(options.till):
        print(agent.record_str(record))
    return 0


def export(connection: Connection, options: argparse.Namespace) -> int:
    """Send everything that the agent has before it, at once, and acknowledge it."""
    agent = _agent(connection, options)
    if not _agreed(EXPORT_QUESTION):
        return 1
    silent = logging.getLogger(f"{__name__}.silent")
    silent.disabled = True  # the failure is told below, once
    if agent.run(None, logger=silent, dbi=connection) is None:
        _, reason = agent.last_failure or (None, "")
        transaction.abort()
        raise AgentExecutionException(f"agent {agent.getId()!r} failed: {reason}")
    agent.acknowledge()
    transaction.commit()
    return 0


def _agent(connection: Connection, options: argparse.Namespace) -> PushSyncAgent:
    agent = SyncManager.getDBInstance(connection).getAgent(options.agent_id)
    if not isinstance(agent, PushSyncAgent):
        raise AgentExecutionException(f"agent {options.agent_id!r} does not push records")
    return agent


def _agreed(question: str) -> bool:
    print(question, end="", flush=True)
    return sys.stdin.readline().strip() in {"y", "Y"}


class _Parser(argparse.ArgumentParser):
    """A parser that says of a missing command what the reference prints."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required"):
            message = "too few arguments"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    # Where the database is may be said before a command or behind it.
    database = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    database.add_argument(
        "--database", metavar="URI", help="default: $SCHEDULER_DATABASE, else the embedded one"
    )
    parser = _Parser(
        prog="indico_livesync",
        usage="%(prog)s [-h] {destroy,list,agent} ...",
        description="Look at the track and the agents, and run them by hand.",
        parents=[database],
    )
    commands = parser.add_subparsers(prog="indico_livesync", required=True)

    command = commands.add_parser(
        "destroy", parents=[database], help="empty the track, and drop the agents"
    )
    command.add_argument("--track-only", action="store_true", help="keep the agents")
    command.set_defaults(command=destroy)

    command = commands.add_parser("list", parents=[database], help="print the track, newest first")
    start = command.add_mutually_exclusive_group()
    start.add_argument("--from", dest="start", type=int, metavar="TS", help="oldest position")
    start.add_argument("--pointer", metavar="ID", help="only what is before this pointer")
    command.add_argument("--to", type=int, metavar="TS", help="newest position, included")
    command.set_defaults(command=list_track)

    command = commands.add_parser("agent", help="run an agent by hand")
    command.add_argument("agent_id", metavar="AGENT_ID")
    _add_agent_commands(command.add_subparsers(required=True), database)
    return parser


def _add_agent_commands(commands: Any, database: _Parser) -> None:
    command = commands.add_parser(
        "add_task", parents=[database], help="enqueue the task that runs all active agents"
    )
    command.add_argument("-i", "--interval", type=int, default=15, metavar="MIN", help="minutes")
    command.set_defaults(command=add_task)
    command = commands.add_parser(
        "simulate", parents=[database], help="print the records that would be sent"
    )
    command.add_argument("-t", "--till", type=int, metavar="TS", help="newest position, included")
    command.set_defaults(command=simulate)
    command = commands.add_parser(
        "export", parents=[database], help="send everything that is new to the agent"
    )
    command.set_defaults(command=export)


if __name__ == "__main__":
    sys.exit(main())
