"""The arguments of `indico_scheduler`: its commands, and what each of them takes."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.cli.deferred import DeferredModule
from daemon.cli.parser import Command, Subparsers, add
from daemon.config import LEVELS
from daemon.views.attempt_choice import attempt_choice
from scheduler.clock import nowutc
from scheduler.states import STATES
from scheduler.values.command_value import HOW, given
from scheduler.values.completion import CompletionAction
from scheduler.values.duration import period
from scheduler.values.own_version import VersionAction

ROWS = 50

bulk = DeferredModule("daemon.cli.bulk")
cmd = DeferredModule("daemon.cli.cmd")
configuration = DeferredModule("daemon.cli.configuration")
database = DeferredModule("daemon.cli.database")
database_copy = DeferredModule("daemon.cli.database_copy")
history = DeferredModule("daemon.cli.history")
lifecycle = DeferredModule("daemon.cli.lifecycle")
flow = DeferredModule("daemon.cli.flow")
show = DeferredModule("daemon.cli.show")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    common = _common()
    own = argparse.ArgumentParser(
        prog="indico_scheduler",
        description="Start and stop the daemon, look at what it does, and direct it.",
        parents=[common],
    )
    own.add_argument("--version", action=VersionAction)
    own.add_argument("--completion", action=CompletionAction)
    own.set_defaults(report=None)
    commands = own.add_subparsers(required=True, metavar="COMMAND")

    sub = add(commands, common, "start", lifecycle.start, "start the daemon; print pid and address")
    sub.add_argument("-s", "--standalone", action="store_true", help="stay in the foreground")
    _add_standby(sub)
    sub.add_argument("--log", choices=LEVELS, metavar="LEVEL", help=", ".join(LEVELS))
    sub.add_argument(
        "--reload", action="store_true", help="replace the workers when a Python file changes"
    )
    sub.add_argument("--report", type=int, help=argparse.SUPPRESS)
    add(commands, common, "stop", lifecycle.stop, "stop the daemon, and wait until it has ended")
    sub = add(commands, common, "restart", lifecycle.restart, "stop it, if it runs, and start it")
    _add_standby(sub)
    sub.add_argument("--log", choices=LEVELS, metavar="LEVEL", help=", ".join(LEVELS))
    add(commands, common, "reload", lifecycle.reload, "replace the workers, by such with new code")
    sub = add(commands, common, "check", lifecycle.check, "say by the exit status whether it lives")
    sub.add_argument("-q", "--quiet", action="store_true", help="print nothing but the pid")
    _add_show(commands, common)
    _add_cmd(commands, common)
    _add_config(commands, common)
    _add_db(commands, common)
    sub = add(commands, common, "run", lifecycle.run, "run a task here; its state stays as it is")
    sub.add_argument("task_id", type=int, metavar="ID")
    sub.add_argument("--dry-run", action="store_true", help="print the changes, and abort them")
    sub.add_argument(
        "--as-of-attempt",
        type=_attempt,
        metavar="WHICH",
        help="replay the attempt with that number, or date (UTC), on its snapshot, and compare",
    )
    sub.add_argument("--debug", action="store_true", help="run it dry under Python's debugger")
    sub = add(
        commands,
        common,
        "blame",
        history.blame,
        "print which task changed an object last, or what a task changed",
    )
    sub.add_argument("number", type=int, metavar="OID|TASK", help="an object's number, or a task's")
    sub = add(
        commands, common, "undo", history.undo, "take back the changes of a task's last attempt"
    )
    sub.add_argument("task_id", type=int, metavar="TASK")
    # It is for people: there is nothing to tell a program.
    sub = commands.add_parser(
        "demo", parents=[common], help="show everything at work on sample data"
    )
    sub.set_defaults(command=lifecycle.run_demo, json=False)
    sub.add_argument("--port", type=int, help="the port of the front end")
    return own


def _common() -> argparse.ArgumentParser:
    # These options may stand before a command or behind it.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", metavar="FILE", help="a TOML file with the settings")
    common.add_argument(
        "--database",
        type=given,
        metavar="URI",
        help=f"{HOW}, or itself; default: $SCHEDULER_DATABASE, else the embedded one",
    )
    common.add_argument(
        "-p", "--fork-processes", action="store_true", help="run tasks in worker processes"
    )
    common.add_argument(
        "-f", "--force", action="store_true", help="carry the command out although it is refused"
    )
    return common


def _add_show(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    views = commands.add_parser("show", help="print the state of the scheduler").add_subparsers(
        required=True, metavar="WHAT"
    )
    texts: dict[str, tuple[Command, str]] = {
        "status": (
            show.status,
            "whether the scheduler runs, and the number of tasks in each state",
        ),
        "spool": (show.spool, "the instructions in the spool"),
        "tasks": (show.tasks, "the tasks, by state"),
        "task": (show.task, "all facts of one task"),
        "flow": (flow.show, "the flow of a task: the state of each step, and what it follows"),
        "failed": (
            show.failed,
            "the dead letters: tasks that failed or cannot be loaded, newest first",
        ),
        "queues": (show.queues, "the named queues, and their limits"),
        "schedules": (show.schedules, "the schedules, with their next and last attempts"),
        "workers": (show.workers, "the workers, and the task of each"),
        "conflicts": (show.conflicts, "the objects over which tasks conflicted, newest first"),
    }
    subs = {name: add(views, common, name, *text) for name, text in texts.items()}
    for name in ("task", "flow"):
        subs[name].add_argument("task_id", type=int, metavar="ID")
    subs["tasks"].add_argument("--state", choices=STATES, metavar="STATE", help=", ".join(STATES))
    subs["failed"].set_defaults(state=None)
    for name in ("tasks", "failed"):
        _add_class(subs[name])
        subs[name].add_argument(
            "--limit", type=_count, default=ROWS, metavar="N", help=f"default: {ROWS}"
        )
        subs[name].add_argument(
            "--offset", type=_count, default=0, metavar="N", help="skip the first N"
        )


def _add_cmd(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    verbs = commands.add_parser("cmd", help="direct the scheduler").add_subparsers(
        required=True, metavar="COMMAND"
    )
    texts: dict[str, tuple[Command, str]] = {
        "clear_spool": (cmd.clear_spool, "drop the instructions in the spool"),
        "retry": (cmd.retry, "start failed tasks again, and load quarantined ones"),
        "cancel": (cmd.cancel, "cancel waiting and running tasks"),
        "cancel_flow": (flow.cancel, "cancel what is at work of the flows of tasks"),
        "restart": (flow.restart, "run ended tasks again, and all that follows them"),
        "delete": (bulk.delete, "delete tasks in any state"),
        "move": (bulk.move, "give waiting tasks another date"),
        "prioritize": (bulk.prioritize, "give waiting tasks another priority"),
        "pause": (cmd.pause, "pause tasks, or a named queue, until resumed; else the scheduler"),
        "resume": (cmd.resume, "resume paused tasks, or a named queue; else the scheduler"),
        "repair": (cmd.repair, "make anew what cannot be read of the scheduler's own data"),
        "backfill": (cmd.backfill, "run a schedule for all its dates of a time that has passed"),
        "signal": (cmd.signal, "give a signal to the tasks that wait for it"),
        "drop_schedule": (
            cmd.drop_schedule,
            "remove declared schedules; without NAME, vanished ones",
        ),
    }
    subs = {name: add(verbs, common, name, *text) for name, text in texts.items()}
    for name in ("cancel", "retry", "delete", "move", "prioritize"):
        _add_choice(subs[name])
    subs["prioritize"].add_argument(
        "--to", required=True, type=int, metavar="NUMBER", help="the priority; higher ones go first"
    )
    subs["move"].add_argument(
        "--to",
        type=_date_to_come,
        required=True,
        metavar="WHEN",
        help="their new date: an ISO date (UTC), or a period from now, such as 2h",
    )
    subs["backfill"].add_argument("task", metavar="ID|NAME", help="the task, or its function")
    subs["backfill"].add_argument(
        "--since", type=_moment, required=True, metavar="WHEN", help="the first date, or a period"
    )
    subs["backfill"].add_argument(
        "--until", type=_moment, metavar="WHEN", help="the last date; default: now"
    )
    subs["signal"].add_argument("name", metavar="NAME", help="the signal's name")
    subs["signal"].add_argument(
        "--payload", type=_json, metavar="JSON", help="the data that it carries; default: null"
    )
    subs["drop_schedule"].add_argument("names", nargs="*", metavar="NAME")
    for name in ("restart", "cancel_flow"):
        subs[name].add_argument("task_ids", type=int, nargs="+", metavar="ID")
    for name in ("pause", "resume"):
        those = subs[name].add_mutually_exclusive_group()
        those.add_argument("task_ids", type=int, nargs="*", default=[], metavar="ID")
        those.add_argument("--queue", metavar="NAME", help="the named queue")


def _add_choice(sub: argparse.ArgumentParser) -> None:
    which = sub.add_mutually_exclusive_group(required=True)
    which.add_argument("task_ids", type=int, nargs="*", default=[], metavar="ID")
    which.add_argument("--all", action="store_true", help="all tasks in a state that allows it")
    _add_class(sub)
    sub.add_argument("--state", choices=STATES, metavar="STATE", help=", ".join(STATES))
    sub.add_argument("--queue", metavar="NAME", help="only tasks of this named queue")
    sub.add_argument("--text", metavar="TEXT", help="only tasks with this in their error")
    for name, which_end in (("--since", "from"), ("--until", "up to")):
        sub.add_argument(
            name,
            type=_moment,
            metavar="WHEN",
            help=f"only tasks that are due, or ended, {which_end} WHEN: an ISO date (UTC) or a "
            "period, such as 2d",
        )
    sub.add_argument("--dry-run", action="store_true", help="only say how many there are")


def _add_standby(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--standby",
        action="store_true",
        help="wait for the lease while another daemon of the database leads",
    )


def _add_class(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        *("--class", "--name"),
        dest="kind",
        metavar="NAME",
        help="only tasks of this class, or calls of this function; with or without the module",
    )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def _date_to_come(text: str) -> datetime:
    return _moment(text, 1)


def _moment(text: str, direction: int = -1) -> datetime:
    try:
        return nowutc() + direction * timedelta(seconds=period(text))
    except (ValueError, OverflowError):
        pass
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a date such as 2026-11-20 nor a period such as 2d"
        ) from None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _add_config(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    verbs = commands.add_parser("config", help="look at the settings").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add(
        verbs,
        common,
        "check",
        configuration.check,
        "say by the exit status whether the settings are good",
    )
    add(
        verbs,
        common,
        "show",
        configuration.show,
        "print the settings in force, and their sources",
    )
    add(
        verbs,
        common,
        "defaults",
        configuration.defaults,
        "print a file with the default of each setting",
    )


def _add_db(commands: Subparsers, common: argparse.ArgumentParser) -> None:
    verbs = commands.add_parser("db", help="look after the database").add_subparsers(
        required=True, metavar="COMMAND"
    )
    add(verbs, common, "info", database.info, "print its size, contents, history and layout")
    add(verbs, common, "verify", database.verify, "read every object; 1 if one cannot be read")
    sub = add(verbs, common, "pack", database.pack_now, "drop old history now")
    sub.add_argument(
        "--keep", type=_period, metavar="PERIOD", help="how much stays; default: keep_history"
    )
    sub = add(
        verbs, common, "backup", database.back_up, "back the embedded database up, while it is used"
    )
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="where the backups are kept")
    sub.add_argument("--full", action="store_true", help="copy all, not only what is new")
    text = "encrypt with the first key what is encrypted; 1 if some is left with another one"
    add(verbs, common, "reseal", database.reseal, text)
    text = "bring the layout of an older release up to date, as the daemon does at its start"
    sub = add(verbs, common, "upgrade", database.upgrade_layout, text)
    sub.add_argument("--dry-run", action="store_true", help="only print what is to be done")
    text = "copy a database with its history and blobs into an empty one, and compare them"
    sub = add(verbs, common, "copy", database_copy.copy, text)
    for name in ("source", "target"):
        meta = {"source": "FROM", "target": "TO"}[name]
        sub.add_argument(name, type=given, metavar=meta, help=f"a URI; {HOW}")
    sub.add_argument(
        "--resume", action="store_true", help="go on with a copy, or bring one up to date"
    )
    sub.add_argument(
        "--new-epoch",
        action="store_true",
        help="TO takes the place of a database that is lost: its records get keys of their own",
    )
    sub = add(verbs, common, "restore", database.restore, "put a backup in place, as a new epoch")
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="where the backups are kept")


def _period(text: str) -> float:
    try:
        return period(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _attempt(text: str) -> str:
    try:
        return attempt_choice(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
