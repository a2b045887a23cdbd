"""`indico_scheduler start`, `stop`, `restart`, `check`, `run`, `demo`: the process itself."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout

import transaction
from ZEO.Exceptions import ClientDisconnected
from ZODB.Connection import Connection

from daemon.cli.dry_run import dry_run
from daemon.config import Config, level_number
from daemon.demo import main
from daemon.errors import DaemonException, Refusal
from daemon.logs.process_log import log_to, start_log
from daemon.process import background
from daemon.process.service_manager import ServiceManager
from daemon.process.stop_event import stop_on_signals, wait_for
from daemon.service import Service
from daemon.views.task_detail import find_task
from daemon.web.allocation import use_one_arena
from scheduler import TASK_STATUS_RUNNING, Client
from scheduler.leadership.roster import roster_of
from scheduler.runtime.application import Application
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.store import connect
from scheduler.values.console import answer, as_json
from scheduler.worker.commit_signature import sign, signature_of

DEATH_SECONDS = 30.0
CLOSING_SECONDS = 5.0
"""The time in which a daemon that has left ends; an application that ran one goes on."""

POLL_SECONDS = 0.1
# The exit status of `check`; it is 4 if the database does not answer.
ALIVE, NOT_RUNNING, ELSEWHERE = 0, 1, 2


def start(options: argparse.Namespace, config: Config) -> int:
    """Run the daemon: here, or in the background, and then return when it is up."""
    if not options.standalone:
        if not config.scheduler.standby:
            _refuse_second(options, config)
        return _start_in_background(options)
    use_one_arena()
    report: background.StartReport = options.report
    start_log(config.log, in_background=report.is_wanted())
    manager = ServiceManager()
    with stop_on_signals() as stop, Service(config, stop, watches_code=options.reload) as service:
        report.up(service.web.url)
        gc.freeze()  # what is there now stays: the collector need not look at it time and again
        with manager.told(service.probes.live):
            wait_for(stop)
    return 1 if service.failure is not None else 0


def stop(options: argparse.Namespace, config: Config) -> int:
    """Tell the scheduler to shut down, and wait until its process has ended."""
    with connect(config.database) as connection:
        if not roster_of(connection).is_taken() and not options.force:
            raise Refusal("The daemon doesn't seem to be running (consider -f?)")
    return _stop(options, config)


def restart(options: argparse.Namespace, config: Config) -> int:
    """Stop the daemon if it runs, then start it in the background."""
    with connect(config.database) as connection:
        roster = roster_of(connection)
        is_taken, hostname, process = roster.is_taken(), roster.hostname, roster.process
    if is_taken and process is not None and not process.is_here() and not options.force:
        raise Refusal(
            f"The daemon is running on another machine, or in another container ({hostname}) "
            "(consider -f?)"
        )
    if is_taken and not _has_ended(config):
        raise DaemonException("the daemon has not ended in time: see its log")
    # The lease is released; the embedded server of the process may still be closing.
    _wait_until(lambda: process is None or process.is_gone(), DEATH_SECONDS)
    return _start_in_background(options)


def reload(options: argparse.Namespace, config: Config) -> int:
    """Have the workers replaced one by one, and wait until they are."""
    with connect(config.database) as connection:
        if not roster_of(connection).is_taken() and not options.force:
            raise Refusal("The daemon doesn't seem to be running (consider -f?)")
        before = _workers(connection)
        Client(connection).reloadWorkers()
        transaction.commit()

        def are_replaced() -> bool:
            connection.sync()
            return not before & _workers(connection)

        _wait_until(are_replaced, config.scheduler.shutdown_timeout)
        rest = len(before & _workers(connection))
    replaced = len(before) - rest
    text = f"{replaced} of {len(before)} workers are replaced"
    if rest:
        text += "\nThe others are replaced when their tasks end; where none is, see the log"
    answer(options, {"workers": len(before), "replaced": replaced}, text)
    return 0 if rest < max(1, len(before)) else 1


def _workers(connection: Connection) -> set[str]:
    return {each.worker for each in roster_of(connection).workers}


def check(options: argparse.Namespace, config: Config) -> int:
    """Return 0 if the daemon lives, 1 if not, 2 if only another machine can see that."""
    with connect(config.database) as connection:
        roster = roster_of(connection)
        hostname, pid = roster.hostname, roster.pid
        entered, alive = pid is not None, roster.is_taken()
        is_here = roster.process is None or roster.process.is_here()
        if entered and not alive and is_here and roster.token is not None:
            roster.leave(roster.token)
            transaction.commit()
    lines = [
        f"Database status: running={entered}, host={hostname}, pid={pid}",
        f"Process status:  running={alive}"
        if is_here
        else "The daemon is entered as running on another machine, or in another container",
    ]
    if entered and not alive and is_here:
        lines.append("Marking dead scheduler as not running")
    if not options.quiet:
        print("\n".join(lines), file=sys.stderr)
    if options.json:
        print(as_json({"running": alive, "here": is_here, "hostname": hostname, "pid": pid}))
    elif alive and is_here:
        print(pid)
    if not is_here:
        return ELSEWHERE
    return ALIVE if alive else NOT_RUNNING


def run(options: argparse.Namespace, config: Config) -> int:
    """Run a task here and commit, its state unchanged; or run it dry."""
    if options.dry_run or options.debug or options.as_of_attempt is not None:
        return dry_run(options, config)
    log_to(None, level_number(config.log.level))
    Application.of(config.scheduler).load()
    with connect(config.database) as connection:
        task = find_task(connection, options.task_id)
        if task.getStatus() == TASK_STATUS_RUNNING and not options.force:
            raise Refusal(f"{task!r} is being run by the daemon (consider -f?)")
        try:
            # An answer in JSON has nothing that a task prints.
            with redirect_stdout(sys.stderr if options.json else sys.stdout), REGISTRY.around(task):
                task.run()
            sign(transaction.get(), [signature_of(options.task_id, task)])
            transaction.commit()
        except (Exception, SystemExit) as error:
            logging.getLogger(__name__).exception("%r failed", task)
            raise DaemonException(
                f"{task!r} failed, nothing is changed: {type(error).__name__}: {error}"
            ) from error
    if options.json:
        print(as_json({"task": options.task_id}))
    return 0


def run_demo(options: argparse.Namespace, config: Config) -> int:
    """Run the demonstration on sample data."""
    return main.run(config)


def _stop(options: argparse.Namespace, config: Config) -> int:
    if options.json:
        has_ended = _has_ended(config)
        print(as_json({"stopped": has_ended}))
    else:
        print("Waiting for death confirmation... ", end="", flush=True)
        has_ended = _has_ended(config)
        print("DONE!" if has_ended else "FAILED!")
    return 0 if has_ended else 1


def _has_ended(config: Config) -> bool:
    """Tell the scheduler to shut down; return whether its process ends in time."""
    with connect(config.database) as connection:
        roster = roster_of(connection)
        process, token = roster.process, roster.token
        Client(connection).shutdown("Daemon script")
        transaction.commit()
        has_ended = _wait_until(
            lambda: _is_over(connection, token) or (process is None or process.is_gone()),
            config.scheduler.shutdown_timeout + DEATH_SECONDS,
        )
    if has_ended and process is not None and process.is_here():
        # It has left, and closes the database: whoever comes next may want that alone.
        _wait_until(process.is_gone, CLOSING_SECONDS)
    return has_ended


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _is_over(connection: Connection, token: str | None) -> bool:
    try:
        connection.sync()
        roster = roster_of(connection)
        return roster.token != token or not roster.is_taken()
    except ClientDisconnected:
        return False  # the database may have gone with the process: that tells


def _refuse_second(options: argparse.Namespace, config: Config) -> None:
    with connect(config.database) as connection:
        if roster_of(connection).is_taken() and not options.force:
            raise Refusal("The daemon seems to be already running (consider -f?)")


def _start_in_background(options: argparse.Namespace) -> int:
    pid, url = background.start(_repeated(options), getattr(options, "database", None))
    answer(options, {"pid": pid, "url": url}, f"{pid}\n{url}")
    return 0


def _repeated(options: argparse.Namespace) -> list[str]:
    """Return the arguments that give the daemon in the background the same options."""
    arguments = ["start", "--standalone"]
    for name in ("config", "log"):
        if getattr(options, name, None) is not None:
            arguments += [f"--{name}", getattr(options, name)]
    flags = (("fork_processes", "-p"), ("standby", "--standby"), ("reload", "--reload"))
    for name, flag in flags:
        if getattr(options, name, False):
            arguments.append(flag)
    return arguments
