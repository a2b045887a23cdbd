"""`indico_livesync`: look at the track, the agents and their dead letters, and direct them.

Reference 4.4, and what those need who look after agents.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection as PipeConnection
from typing import NoReturn, TypeAlias

from ZEO.Exceptions import ClientDisconnected
from ZODB.Connection import Connection

from livesync.cli import capture, change, run, show
from livesync.errors import LiveSyncException
from scheduler.errors import SchedulerException
from scheduler.runtime.application import Application
from scheduler.store import connect
from scheduler.store.existence import expect_database
from scheduler.store.position import is_token
from scheduler.values.command_value import HOW, given, is_shown
from scheduler.values.completion import CompletionAction
from scheduler.values.console import refuse
from scheduler.values.duration import period
from scheduler.values.extras import ExtraMissingError
from scheduler.values.legible import LineFormatter, legible_output
from scheduler.values.masking import hidden
from scheduler.values.own_version import VersionAction
from scheduler.worker.log_forwarding import forward_logs

SECRET_SETTINGS = {"secret", "password"}

Command = Callable[[Connection, argparse.Namespace], int]
Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"

AGENT_COMMANDS: dict[str, tuple[Command, str]] = {
    "add_task": (run.add_task, "enqueue the task that runs all active agents"),
    "simulate": (run.simulate, "print the records that would be sent"),
    "export": (run.export, "send all there is, and let it follow from there, after asking"),
    "run": (run.run, "send what is new now"),
    "verify": (run.verify, "compare what its target has with what there is"),
    "add": (change.add, "register a new agent"),
    "edit": (change.edit, "change its name or settings"),
    "activate": (change.activate, "let the update task run it"),
    "deactivate": (change.deactivate, "let the update task pass it over"),
    "pause": (change.pause, "let it rest after its present batch"),
    "resume": (change.resume, "let it go on where it was paused"),
    "remove": (change.remove, "let it go, after asking"),
    "rewind": (change.rewind, "move its pointer, to deliver again from there"),
    "retry": (change.retry, "do not wait any longer after failures"),
}

FROM = "oldest position, or the token of the transaction behind which to begin"
TILL = "newest position, included, or the token of a transaction"
REWOUND = "a position, `start`, or the token of a transaction"

RETENTION = {
    "--keep": "what every agent has had, such as 7d",
    "--cut-off": "for an agent that is so far behind nothing is kept",
}

# The commands that make a database that is missing, and those that do so to set a value.
MAKERS = (change.add, capture.watch, run.follow)
SETTINGS: dict[Command, tuple[str, ...]] = {
    change.address: ("url",),
    change.granularity: ("seconds",),
    change.retention: ("keep", "cut_off", "most"),
}


@legible_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* (those of the process for None) say; return the exit status.

    1 for a refusal or a failure, told on stderr. argparse ends with 2 on wrong usage.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(_verb_first(list(given)))
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if getattr(options, "log_to", None) is not None:
        forward_logs(PipeConnection(options.log_to).send, options.log_levels)
        Application(*options.application).load()
    uri = getattr(options, "database", None)
    try:
        if not _makes_database(options):
            expect_database(uri)
        with connect(uri) as connection:
            status: int = options.command(connection, options)
            return status
    except (ExtraMissingError, LiveSyncException, SchedulerException) as error:
        return refuse(options, "indico_livesync", hidden(str(error)), 1)
    except ClientDisconnected:
        text = "the database went away: try again when it is up"
        return refuse(options, "indico_livesync", text, 1)
    except BrokenPipeError:
        # The reader has closed the pipe: output that is still buffered is dropped.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _makes_database(options: argparse.Namespace) -> bool:
    """Return whether the command begins something, or sets it: that may be the first of all."""
    given = [options.__dict__.get(name) for name in SETTINGS.get(options.command, ())]
    return options.command in MAKERS or any(value is not None for value in given)


class _Parser(argparse.ArgumentParser):
    """A parser that says of a missing command what the reference prints."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required"):
            message = "too few arguments"
        super().error(message)


def _verb_first(arguments: list[str]) -> list[str]:
    """Return *arguments* with `agent ID VERB`, as documented, turned into `agent VERB ID`."""
    if "agent" not in arguments:
        return arguments
    place = arguments.index("agent") + 1
    words = arguments[place : place + 2]
    if len(words) < 2:
        return arguments
    is_help = words[1] in {"-h", "--help"} and words[0] not in AGENT_COMMANDS
    if is_help or words[1] in AGENT_COMMANDS:
        arguments[place : place + 2] = reversed(words)
    return arguments


def _parser() -> argparse.ArgumentParser:
    # Where the database is may be said before a command or behind it.
    database = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    database.add_argument(
        "--database",
        type=given,
        metavar="URI",
        help=f"{HOW}, or itself; default: $SCHEDULER_DATABASE, else the embedded one",
    )
    parser = _Parser(
        prog="indico_livesync",
        usage="%(prog)s [-h] {destroy,list,agent} ...",
        description="Look at the track, the agents and their dead letters, and direct them.",
        parents=[database],
    )
    parser.add_argument("--version", action=VersionAction)
    parser.add_argument("--completion", action=CompletionAction, group="agent")
    commands = parser.add_subparsers(prog="indico_livesync", required=True)

    command = _add(
        commands, database, "destroy", change.destroy, "empty the track, and drop the agents"
    )
    command.add_argument("--track-only", action="store_true", help="keep the agents")
    _add_yes(command)

    command = _add(commands, database, "list", show.list_track, "print the track, newest first")
    start = command.add_mutually_exclusive_group()
    start.add_argument("--from", dest="start", type=_place, metavar="TS", help=FROM)
    start.add_argument("--pointer", metavar="ID", help="only what is before this pointer")
    end = command.add_mutually_exclusive_group()
    end.add_argument("--to", type=_place, metavar="TS", help=TILL)
    end.add_argument(
        "--follow", action="store_true", help="go on with what comes, oldest first, from now on"
    )

    _add(commands, database, "agents", show.agents, "print how the agents stand")
    command = _add(commands, database, "retention", change.retention, "how long changes are kept")
    for name, text in RETENTION.items():
        command.add_argument(name, type=_period, metavar="PERIOD", help=text)
    command.add_argument("--most", type=int, metavar="N", help="how many at the most")
    command = commands.add_parser(
        "agent", help="run or change an agent", usage="indico_livesync agent AGENT_ID COMMAND ..."
    )
    _add_agent_commands(
        command.add_subparsers(prog="indico_livesync agent", required=True, metavar="COMMAND"),
        database,
    )
    # It goes on until it is stopped, and has no answer.
    command = commands.add_parser(
        "follow", parents=[database], help="deliver to active agents until stopped"
    )
    command.set_defaults(command=run.follow, json=False)
    command.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    command.add_argument("--log-to", type=int, metavar="FD", help=argparse.SUPPRESS)
    command.add_argument("--application", type=json.loads, default=((), ()), help=argparse.SUPPRESS)
    command.add_argument("--log-levels", type=json.loads, default={}, help=argparse.SUPPRESS)
    command = _add(commands, database, "token", show.token, "print what `after=` takes, for now")
    command.add_argument("agent_id", metavar="AGENT_ID", nargs="?", help="whose delivery it is")
    command = _add(
        commands, database, "granularity", change.granularity, "print or set how long a bin is"
    )
    command.add_argument("seconds", type=float, nargs="?", metavar="SECONDS")
    command = _add(
        commands, database, "address", change.address, "print or set what addresses begin with"
    )
    command.add_argument("url", nargs="?", metavar="URL")
    _add_capture_commands(commands, database)
    command = commands.add_parser("dead", help="the records that targets did not take")
    _add_dead_commands(command.add_subparsers(required=True, metavar="COMMAND"), database)
    return parser


def _add_capture_commands(commands: Subparsers, database: _Parser) -> None:
    _add(commands, database, "watched", capture.watched, "print the watched classes")
    command = _add(commands, database, "watch", capture.watch, "record the changes of a class")
    command.add_argument("name", metavar="MODULE:CLASS")
    command.add_argument(
        "--identify", metavar="MODULE:FUNCTION", help="what returns the id of an object"
    )
    command = _add(commands, database, "unwatch", capture.unwatch, "record them no more")
    command.add_argument("name", metavar="MODULE:CLASS")
    text = "print the changes of watched classes that were not recorded"
    command = _add(commands, database, "escaped", capture.escaped, text)
    command.add_argument("--record", action="store_true", help="record them now")
    text = "look for objects of exposed classes made before that, and for those that are gone"
    _add(commands, database, "survey", capture.survey, text)


def _add_agent_commands(commands: Subparsers, database: _Parser) -> None:
    subs = {}
    for name, (command, text) in AGENT_COMMANDS.items():
        subs[name] = _add(commands, database, name, command, text)
        subs[name].add_argument("agent_id", metavar="AGENT_ID")
    subs["add_task"].add_argument(
        "-i", "--interval", type=_interval, default=15, metavar="MIN", help="minutes"
    )
    for name in ("simulate", "run"):
        subs[name].add_argument("-t", "--till", type=_place, metavar="TS", help=TILL)
    for name in ("export", "remove"):
        _add_yes(subs[name])
    for name in ("export", "verify"):
        subs[name].add_argument(
            "--inventory", metavar="MODULE:FUNCTION", help="what lists all there is: the catalogue"
        )
    subs["verify"].add_argument("--repair", action="store_true", help="send what differs")
    subs["export"].add_argument(
        "--anew", action="store_true", help="begin anew, if it was broken off"
    )
    subs["add"].add_argument("--type", required=True, help="folder, webhook, ... or module:Class")
    for name in ("add", "edit"):
        _add_settings(subs[name])
    subs["activate"].add_argument(
        "--skip", action="store_true", help="send only what is recorded from now on"
    )
    subs["rewind"].add_argument("position", metavar="POSITION", help=REWOUND)


def _add_dead_commands(commands: Subparsers, database: _Parser) -> None:
    sub = _add(commands, database, "list", show.dead_list, "print them")
    sub.add_argument("agent_id", metavar="AGENT_ID", nargs="?", help="default: of all agents")
    sub.add_argument("--waiting", action="store_true", help="also what is still tried")
    sub = _add(commands, database, "show", show.dead_show, "print all that is known of one")
    sub.add_argument("agent_id", metavar="AGENT_ID")
    sub.add_argument("name", metavar="NAME")
    texts: dict[str, tuple[Command, str]] = {
        "retry": (change.dead_retry, "send them again with the next run"),
        "drop": (change.dead_drop, "forget them"),
    }
    for name, (command, text) in texts.items():
        sub = _add(commands, database, name, command, text)
        sub.add_argument("agent_id", metavar="AGENT_ID")
        which = sub.add_mutually_exclusive_group(required=True)
        which.add_argument("names", nargs="*", default=[], metavar="NAME")
        which.add_argument("--all", action="store_true", help="all that are dead")


def _add_settings(sub: _Parser) -> None:
    sub.add_argument("--name", help="its name for people")
    sub.add_argument("--description", help="what it is for")
    sub.add_argument("--every", dest="update_time", type=_interval, metavar="MIN", help="minutes")
    sub.add_argument("--access", metavar="USER", help="with whose eyes it sees")
    sub.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=VALUE",
        help="a setting of its type, such as url=..., or of delivery, such as parallel=4; "
        f"VALUE may be {HOW}",
    )


def _add(
    commands: Subparsers, database: _Parser, name: str, command: Command, text: str
) -> _Parser:
    sub = commands.add_parser(name, parents=[database], help=text)
    sub.set_defaults(command=command)
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")
    return sub


def _add_yes(sub: _Parser) -> None:
    sub.add_argument("--yes", action="store_true", help="do not ask")


def _setting(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        # The text is not shown: it may hold a password.
        raise argparse.ArgumentTypeError("a setting is of the form NAME=VALUE")
    if is_shown(value) and (name in SECRET_SETTINGS or hidden(value) != value):
        print(
            f"indico_livesync: the list of processes shows {name}; give {name}=@FILE, "
            f"{name}=@env:VARIABLE, or {name}=- and a line of standard input",
            file=sys.stderr,
        )
    return name, given(value)


def _period(text: str) -> float:
    try:
        return period(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _place(text: str) -> int | str:
    """Return a position, or the token of a transaction as it is given."""
    if is_token(text):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a position nor a token") from None


def _interval(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
