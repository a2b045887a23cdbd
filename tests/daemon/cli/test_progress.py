"""Long work shows on a terminal how far it is, and nothing in a pipe.

Covers `livesync.cli.progress`.
"""

from __future__ import annotations

import os
import pty
import re
import threading
from contextlib import redirect_stderr, suppress

import pytest
import transaction

from daemon.cli.main import main
from livesync import SyncManager
from livesync.cli.main import main as livesync
from scheduler import Client, nowutc
from scheduler.shelves.module import SchedulerModule
from scheduler.store import connect
from tests.daemon.sample_tasks import Bad
from tests.livesync.agents_for_tests import ListAgent

WORK = {
    "db verify": "objects read",
    "db pack": "packing",
    "db backup backups": "backing up",
    "db upgrade": "parts upgraded",
    "db restore before -f": "restoring",
    "db copy file://var/relay.fs file://copy.fs": "transactions copied",
    "cmd retry --all": "tasks started again",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a database that has a task and an agent, and with a backup of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/var/relay.fs")
    with connect() as connection:
        Client(connection).enqueue(Bad(nowutc(), ""))
        SchedulerModule.getDBInstance(connection)
        SyncManager.getDBInstance(connection).registerNewAgent(ListAgent("list", "List", "", 60))
        transaction.commit()
    assert main(["db", "backup", "before"]) == 0
    return tmp_path


def on_terminal(run, arguments):
    """Run a command whose stderr is a terminal; return what is written on that, without colours."""
    ours, theirs = pty.openpty()
    written = bytearray()

    def read():
        with suppress(OSError):  # the end of a terminal
            while part := os.read(ours, 10_000):
                written.extend(part)

    reading = threading.Thread(target=read)
    reading.start()
    with open(theirs, "w") as stream, redirect_stderr(stream):
        assert run(arguments) == 0
    reading.join()
    os.close(ours)
    return re.sub(r"\x1b\[[\d;?]*\w", "", written.decode())


@pytest.mark.parametrize("command", WORK)
def test_work_on_the_database_tells_a_terminal_how_far_it_is(place, command):
    shown = on_terminal(main, command.split())
    assert WORK[command] in shown
    assert re.search(r"\d+/(\d+|\?)", shown)


def test_a_full_export_tells_a_terminal_how_far_it_is(place):
    assert "to list" in on_terminal(livesync, ["agent", "list", "export", "--yes"])


@pytest.mark.parametrize("command", WORK)
def test_work_on_the_database_shows_no_progress_in_a_pipe(place, capsys, command):
    assert main(command.split()) == 0
    printed = capsys.readouterr()
    assert WORK[command] not in printed.err
    assert "\x1b" not in printed.out + printed.err
