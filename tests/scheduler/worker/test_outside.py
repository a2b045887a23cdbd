"""What a task does outside of the database is seen, and is repeated once at the most after a kill.

Covers `scheduler.worker.outside`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from scheduler import nowutc
from scheduler.tasks import OneShotTask
from scheduler.worker import outside
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop

KILLS = 40 if os.environ.get("SOAK") else 4


class Write(OneShotTask):
    """Adds a line to a file, and kills its worker before it has ended, once, if it is to."""

    def __init__(self, start, path, number, kills=False):
        super().__init__(start)
        self.path, self.number, self.kills = str(path), number, kills

    def run(self):
        with open(self.path, "a") as file:
            file.write(f"{self.number}\n")
        if self.kills and Path(self.path).read_text().split().count(str(self.number)) == 1:
            os.kill(os.getpid(), 9)


def write(folder):
    (folder / "file").write_text("text")


def append(folder):
    with open(folder / "file", "a"):
        pass


def write_low(folder):
    os.close(os.open(folder / "file", os.O_CREAT | os.O_WRONLY))


def make_folder(folder):
    (folder / "made").mkdir()


def remove(folder):
    (folder / "there").unlink()


def start(folder):
    subprocess.run(["true"], check=True)


def call(folder):
    os.system("true")  # noqa: S605


def connect(folder):
    with socket.socket() as end:
        end.connect_ex(("127.0.0.1", 9))


def send(folder):
    with socket.socket(type=socket.SOCK_DGRAM) as end:
        end.sendto(b"", ("127.0.0.1", 9))


def nothing(folder):
    pass


def tell_otherwise(folder):
    sys.audit("open", folder)
    sys.audit("open", folder, "w", "flags")


def read(folder):
    (folder / "there").read_text()


@pytest.fixture(autouse=True)
def installed():
    outside.install()
    outside.forget()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "there").write_text("text")
    return tmp_path


@pytest.mark.parametrize(
    "act", [write, append, write_low, make_folder, remove, start, call, connect, send]
)
def test_an_act_outside_of_the_database_is_noted(folder, act):
    with outside.watching():
        act(folder)
    assert outside.has_noted()
    outside.forget()
    assert not outside.has_noted()


@pytest.mark.parametrize("act", [nothing, tell_otherwise, read])
def test_what_changes_nothing_is_not_noted(folder, act):
    with outside.watching():
        act(folder)
    assert not outside.has_noted()


def test_what_another_thread_does_or_comes_before_and_after_is_not_noted(folder):
    write(folder)
    with outside.watching():
        thread = threading.Thread(target=write, args=(folder,))
        thread.start()
        thread.join()
    write(folder)
    assert not outside.has_noted()


def test_tasks_that_act_outside_are_committed_one_by_one_and_others_together(
    view, database, tmp_path
):
    moment = nowutc()
    acting = [Write(moment, tmp_path / "file", number) for number in range(5)]
    quiet = [Noop(moment) for _ in range(5)]
    view.enqueue(Write(moment, tmp_path / "file", 0), Noop(moment))  # both are known to be short
    with running(database, workers=1):
        view.until_counts(finished=2)
        view.enqueue(*acting, *quiet)
        view.until_counts(finished=12)
    view.refresh()
    for task in (*acting, *quiet):
        task._p_activate()
    assert len({task._p_serial for task in acting}) == len(acting)
    assert len({task._p_serial for task in quiet}) < len(quiet)


def test_a_killed_worker_repeats_one_line_of_a_file(view, database, tmp_path):
    moment, path = nowutc(), tmp_path / "file"
    count = 25 * KILLS
    view.enqueue(*(Write(moment, path, n, kills=n % 25 == 20) for n in range(count)))
    with running(database, workers=1, multitask_mode="processes", task_max_tries=3):
        view.until_counts(finished=count)
    lines = Counter(map(int, path.read_text().split()))
    assert len(lines) == count
    killing = {number for number in range(count) if number % 25 == 20}
    assert {number for number, times in lines.items() if times > 1} == killing
