"""`indico_scheduler`: runs the daemon, shows what it does, and directs it (reference 3.7)."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ZEO.Exceptions import ClientDisconnected

from daemon.cli.arguments import (
    cmd,
    configuration,
    database,
    database_copy,
    lifecycle,
    parser,
)
from daemon.cli.parser import Command
from daemon.config import Config
from daemon.errors import DaemonException, Refusal
from daemon.logs.process_log import quieten_zodb
from daemon.process import background
from export.errors import ExportException
from livesync.errors import LiveSyncException
from scheduler.errors import DatabaseMissing, SchedulerException
from scheduler.shelves.damage import is_own
from scheduler.storage.outage import OF_FILES
from scheduler.store import default_uri
from scheduler.store.encryption import FILE_VARIABLE, KEY_VARIABLE
from scheduler.store.existence import expect_database
from scheduler.store.missing_class import UNREADABLE, loaded_object, reason_of, unreadable_object
from scheduler.values.console import refuse
from scheduler.values.extras import ExtraMissingError
from scheduler.values.legible import legible_output
from scheduler.values.masking import hidden

FAILED, UNKNOWN, REFUSED = 1, 4, 255
# The commands that make a database that is missing.
MAKERS = (
    lifecycle.start,
    lifecycle.restart,
    lifecycle.run_demo,
    cmd.pause,
    cmd.resume,
    database.restore,
)
WITHOUT_DATABASE = (
    configuration.check,
    configuration.show,
    configuration.defaults,
    database_copy.copy,
)

SOLVED = (
    DaemonException,
    ExportException,
    ExtraMissingError,
    LiveSyncException,
    SchedulerException,
)


@legible_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* (those of the process for None) say; return the exit status.

    1 for a failure, told in one line on stderr, 4 for a `check` that cannot tell; 255 for a
    refusal; argparse ends with 2 on wrong usage.
    """
    options = parser().parse_args(arguments, argparse.Namespace(force=False))
    options.report = background.StartReport(options.report)
    logging.basicConfig(level=logging.ERROR)  # a command says itself what there is to say
    quieten_zodb()
    failed = UNKNOWN if options.command == lifecycle.check else FAILED
    try:
        command: Command = options.command
        config = _config(options)
        if command not in MAKERS + WITHOUT_DATABASE:
            expect_database(config.database)
        return command(options, config)
    except Refusal as refusal:
        if options.json:
            return _fail(options, hidden(str(refusal)), REFUSED)
        print(hidden(str(refusal)))
        return REFUSED
    except DatabaseMissing as error:
        return _fail(options, str(error), FAILED)
    except SOLVED as error:
        options.report.failed(hidden(str(error)))
        return _fail(options, hidden(str(error)), failed)
    except UNREADABLE as error:
        return _fail(options, _remedy(error), failed)
    except ClientDisconnected:
        return _fail(options, "the database went away: try again when it is up", failed)
    except BrokenPipeError:
        # The reader has closed the pipe: the buffered rest is dropped.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        text = _fault_of_files(error)
        if text is None:
            raise
        options.report.failed(text)
        return _fail(options, text, failed)


def _fail(options: argparse.Namespace, text: str, status: int) -> int:
    return refuse(options, "indico_scheduler", text, status)


def _fault_of_files(error: OSError) -> str | None:
    if error.errno in OF_FILES:
        return f"{error.strerror}: allow more (`ulimit -n`, or LimitNOFILE= in a unit of systemd)"
    return None if error.filename is None else hidden(f"{error.filename}: {error.strerror}")


def _remedy(error: Exception) -> str:
    fault = f"{unreadable_object(error)} cannot be read ({reason_of(error)})"
    obj = loaded_object(error)
    if obj is None or not is_own(obj):
        return f"{fault}: restore the database from a backup"
    return f"{fault}: `indico_scheduler cmd repair` lets the scheduler make it anew"


def _config(options: argparse.Namespace) -> Config:
    file = getattr(options, "config", None)
    config = Config.load(file)
    if config.key_file and KEY_VARIABLE not in os.environ:
        os.environ.setdefault(FILE_VARIABLE, str(Path(config.key_file).absolute()))
    if getattr(options, "database", None) is not None:
        config = dataclasses.replace(config, database=options.database)
    if not config.database:
        config = dataclasses.replace(config, database=default_uri())
    if getattr(options, "fork_processes", False):
        pool = dataclasses.replace(config.scheduler, multitask_mode="processes")
        config = dataclasses.replace(config, scheduler=pool)
    if getattr(options, "standby", False):
        patient = dataclasses.replace(config.scheduler, standby=True)
        config = dataclasses.replace(config, scheduler=patient)
    if getattr(options, "port", None) is not None:
        web = dataclasses.replace(config.web, port=options.port)
        config = dataclasses.replace(config, web=web)
    if getattr(options, "log", None) is not None:
        log = dataclasses.replace(config.log, level=options.log)
        config = dataclasses.replace(config, log=log)
    return config


if __name__ == "__main__":
    sys.exit(main())
