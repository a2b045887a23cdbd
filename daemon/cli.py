"""`indico_scheduler`: start and stop the daemon, and look at what it does (reference 3.7)."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence

import transaction
from ZEO.Exceptions import ClientDisconnected
from ZODB.Connection import Connection

from daemon import background, demo
from daemon.config import LEVELS, Config, Log, level_number
from daemon.errors import DaemonException, Refusal
from daemon.process import log_to, stop_on_signals, wait_for
from daemon.service import Service
from export.errors import ExportException
from livesync.errors import LiveSyncException
from scheduler import TASK_STATUS_RUNNING, Client, SchedulerModule
from scheduler.errors import SchedulerException
from scheduler.office import office_of
from scheduler.states import status as letters
from scheduler.store import connect, default_uri

DEATH_SECONDS = 60.0
POLL_SECONDS = 0.1
ALIVE, NOT_RUNNING, ELSEWHERE, REFUSED = 0, 1, 2, 255

SOLVED = (DaemonException, ExportException, LiveSyncException, SchedulerException)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* (those of the process for None) say; return the exit status.

    1 for a failure, told in one line on stderr; 255 for a refusal; argparse ends with 2 on
    wrong usage.
    """
    options = _parser().parse_args(arguments)
    report = background.Report(getattr(options, "report", None))
    try:
        command: Callable[[argparse.Namespace, Config, background.Report], int] = options.command
        return command(options, _config(options), report)
    except Refusal as refusal:
        print(refusal)
        return REFUSED
    except SOLVED as error:
        report.failed(str(error))
        print(f"indico_scheduler: {error}", file=sys.stderr)
        return 1
    except ClientDisconnected:
        print("indico_scheduler: the database went away: try again when it is up", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read this has had enough: what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def start(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Run the daemon: here, or in the background, and then return when it is up."""
    if not options.standalone:
        _refuse_second(options, config)
        pid, url = background.start(_repeated(options))
        print(f"{pid}\n{url}")
        return 0
    log_to(config.log.file if report.is_wanted() else None, level_number(config.log.level))
    with stop_on_signals() as stop, Service(config, stop) as service:
        report.up(service.web.url)
        wait_for(stop)
    return 1 if service.failure is not None else 0


def stop(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Tell the scheduler to shut down, and wait until it has."""
    print("Waiting for death confirmation... ", end="", flush=True)
    with connect(config.database or None) as connection:
        if not _status(connection)["state"] and not options.force:
            print()
            raise Refusal("The daemon doesn't seem to be running (consider -f?)")
        hostname, pid = office_of(connection).hostname, office_of(connection).pid
        Client(connection).shutdown("Daemon script")
        transaction.commit()
        deadline = time.monotonic() + DEATH_SECONDS
        while time.monotonic() < deadline:
            if _is_over(connection) or background.is_gone(hostname, pid):
                print("DONE!")
                return 0
            time.sleep(POLL_SECONDS)
    print("FAILED!")
    return 1


def check(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Say whether the daemon lives: 0 if it does, 1 if not, 2 if that is seen elsewhere only."""
    say: Callable[[str], None] = _say_nothing if options.quiet else _say
    with connect(config.database or None) as connection:
        office = office_of(connection)
        entered, alive = office.pid is not None, office.is_taken()
        say(f"Database status: running={entered}, host={office.hostname}, pid={office.pid}")
        if entered and not background.is_here(office.hostname):
            say("The daemon is entered as running on another machine")
            return ELSEWHERE
        say(f"Process status:  running={alive}")
        if alive:
            print(office.pid)
            return ALIVE
        if entered and office.token is not None:
            say("Marking dead scheduler as not running")
            office.leave(office.token)
            transaction.commit()
        return NOT_RUNNING


def show(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Print the status, the spool, or the tasks."""
    views = {"status": _show_status, "spool": _show_spool, "tasks": _show_tasks}
    with connect(config.database or None) as connection:
        views[options.what](connection)
    return 0


def clear_spool(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Drop the instructions that were not taken up yet."""
    with connect(config.database or None) as connection:
        number = Client(connection).clearSpool()
        transaction.commit()
    print(f"{number} operations removed")
    return 0


def run(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Run a task's work here and commit; its state stays as it is."""
    log_to(None, level_number(config.log.level))
    with connect(config.database or None) as connection:
        try:
            task = Client(connection).getTask(options.task_id)
        except KeyError:
            raise DaemonException(
                f"there is no task {options.task_id}: see 'indico_scheduler show tasks'"
            ) from None
        if task.getStatus() == TASK_STATUS_RUNNING and not options.force:
            raise Refusal(f"{task!r} is being run by the daemon (consider -f?)")
        try:
            task.run()
            transaction.commit()
        except (Exception, SystemExit) as error:
            logging.getLogger(__name__).exception("%r failed", task)
            raise DaemonException(
                f"{task!r} failed, nothing is changed: {type(error).__name__}: {error}"
            ) from error
    return 0


def run_demo(options: argparse.Namespace, config: Config, report: background.Report) -> int:
    """Show everything at work on sample data."""
    return demo.run(config)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _say_nothing(line: str) -> None:
    pass


def _status(connection: Connection) -> dict[str, object]:
    return SchedulerModule.getDBInstance(connection).getStatus()


def _show_status(connection: Connection) -> None:
    status = _status(connection)
    if status["state"]:
        where = f"on {status['hostname']} with pid {status['pid']}"
        print(f"Scheduler is currently running {where}")
    else:
        print("Scheduler is currently NOT running")
    print(f"\nSpooled commands: {status['spooled']}\n\nTasks:")
    for name in ("waiting", "running", "failed", "finished"):
        print(f"  - {name.capitalize() + ':':<9} {status[name]}")


def _show_spool(connection: Connection) -> None:
    for operation, obj in Client(connection).getSpool():
        print(f"{operation} {obj}" if operation in {"add", "del"} else operation)


def _show_tasks(connection: Connection) -> None:
    index = SchedulerModule.getDBInstance(connection).getTaskIndex()
    for number, task in sorted(index.items()):
        due = task.getDueOn()
        date = "-" if due is None else f"{due:%Y-%m-%d %H:%M:%S}"
        print(f"{number} {letters(task.getStatus())} {date} {type(task).__name__}")


def _is_over(connection: Connection) -> bool:
    try:
        connection.sync()
        return not _status(connection)["state"]
    except ClientDisconnected:
        return False  # the database may have gone with the process: that tells


def _refuse_second(options: argparse.Namespace, config: Config) -> None:
    with connect(config.database or None) as connection:
        if _status(connection)["state"] and not options.force:
            raise Refusal("The daemon seems to be already running (consider -f?)")


def _repeated(options: argparse.Namespace) -> list[str]:
    """Return the arguments that give the daemon in the background the same options."""
    arguments = ["start", "--standalone"]
    for name in ("config", "database", "log"):
        if getattr(options, name, None) is not None:
            arguments += [f"--{name}", getattr(options, name)]
    return arguments + (["-p"] if getattr(options, "fork_processes", False) else [])


def _config(options: argparse.Namespace) -> Config:
    file = getattr(options, "config", None)
    config = Config() if file is None else Config.read(file)
    if getattr(options, "database", None) is not None:
        config = dataclasses.replace(config, database=options.database)
    if not config.database:
        config = dataclasses.replace(config, database=default_uri())
    if getattr(options, "fork_processes", False):
        pool = dataclasses.replace(config.scheduler, multitask_mode="processes")
        config = dataclasses.replace(config, scheduler=pool)
    if getattr(options, "port", None) is not None:
        web = dataclasses.replace(config.web, port=options.port)
        config = dataclasses.replace(config, web=web)
    if getattr(options, "log", None) is not None:
        config = dataclasses.replace(config, log=Log(options.log, config.log.file))
    return config


def _parser() -> argparse.ArgumentParser:
    # These may be said before a command or behind it.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", metavar="FILE", help="a TOML file with the settings")
    common.add_argument(
        "--database", metavar="URI", help="default: $SCHEDULER_DATABASE, else the embedded one"
    )
    common.add_argument(
        "-p", "--fork-processes", action="store_true", help="run tasks in worker processes"
    )
    common.add_argument(
        "-f", "--force", action="store_true", help="do it even if the daemon's state speaks against"
    )
    parser = argparse.ArgumentParser(
        prog="indico_scheduler",
        description="Start and stop the daemon, and look at what it does.",
        parents=[common],
    )
    parser.set_defaults(force=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., int], help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=help)
        sub.set_defaults(command=command)
        return sub

    sub = add("start", start, "start the daemon; print its pid and address when it is up")
    sub.add_argument("-s", "--standalone", action="store_true", help="stay in the foreground")
    sub.add_argument("--log", choices=LEVELS, metavar="LEVEL", help=", ".join(LEVELS))
    sub.add_argument("--report", type=int, help=argparse.SUPPRESS)
    add("stop", stop, "stop the daemon, and wait until it has ended")
    sub = add("check", check, "say whether the daemon lives, by the exit status too")
    sub.add_argument("-q", "--quiet", action="store_true", help="print nothing but the pid")
    sub = add("show", show, "print the status, the spool, or the tasks")
    sub.add_argument("what", choices=("status", "spool", "tasks"))
    sub = commands.add_parser("cmd", help="do something to the queues")
    sub = sub.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "clear_spool", parents=[common], help="drop the instructions not taken up yet"
    )
    sub.set_defaults(command=clear_spool)
    sub = add("run", run, "run a task here and now; its state stays as it is")
    sub.add_argument("task_id", type=int, metavar="ID")
    sub = add("demo", run_demo, "show everything at work on sample data")
    sub.add_argument("--port", type=int, help="the port of the front end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
