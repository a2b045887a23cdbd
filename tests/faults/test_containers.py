"""Schedulers in containers: one host name, one process id, and still two processes.

Covers `scheduler.storage.process_identity`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest

from scheduler.leadership.roster import roster_of
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store import open_database
from tests.scheduler.harness import View, python
from tests.waiting import DEADLINE, wait_for

SCHEDULER = """
import os, socket, sys
socket.sethostname("container")
from scheduler import Scheduler
print(os.getpid(), flush=True)
Scheduler(database=sys.argv[1], standby=True, sleep_interval=1).run()
"""

OWNER = """
import sys
from scheduler.storage.process_identity import ProcessIdentity
print(repr(tuple(ProcessIdentity.this_process())), flush=True)
sys.stdin.read()
"""


def can_isolate():
    try:
        return subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not can_isolate(), reason="this user may not make namespaces")


@pytest.fixture
def isolated():
    """Start code in a namespace of its own, as its first process."""
    with ExitStack() as stack:

        def start(code, *arguments, proc="--mount-proc"):
            command = ["unshare", "--pid", "--uts", "--mount", "--fork", "--kill-child"]
            command += [proc] if proc else []
            process = subprocess.Popen(
                [*command, sys.executable, "-c", code, *arguments],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize("proc", ["--mount-proc", None])
def test_schedulers_of_one_host_name_and_one_process_id_do_not_take_each_other_for_themselves(
    tmp_path, isolated, proc
):
    database = open_database(f"file://{tmp_path}/data.fs")
    view = View(database)
    for _ in range(2):
        process = isolated(SCHEDULER, database.uri, proc=proc)
        assert process.stdout.readline() == "1\n"
        view.until(lambda: roster_of(view.connection).token is not None, DEADLINE)
    view.until(lambda: len(roster_of(view.connection).standing_by()) == 1, DEADLINE)

    def beats():
        roster = roster_of(view.connection)
        return roster.candidates[roster.token].beats

    first = beats()
    view.until(lambda: beats() > first + 2, DEADLINE)
    assert roster_of(view.connection).term == 1
    view.close()
    database.close()


@pytest.fixture(params=["--mount-proc", None])
def elsewhere(isolated, request):
    """A process that has this one's place in another namespace, and how it sees itself."""
    process = isolated(OWNER, proc=request.param)
    return process, ProcessIdentity(eval(process.stdout.readline()))  # noqa: S307 (a tuple of a test)


def test_a_process_of_another_namespace_is_neither_here_nor_gone(elsewhere):
    _, owner = elsewhere
    assert owner.pid == 1
    assert not owner.is_here()
    assert not owner.is_gone()
    assert not owner.is_stopped()


def test_a_process_of_another_namespace_is_not_killed(elsewhere):
    process, owner = elsewhere
    with python("input()", stdin=subprocess.PIPE) as other:
        ProcessIdentity((owner[0], other.pid, owner[2])).kill()
        ProcessIdentity((*ProcessIdentity.this_process()[:1], other.pid, "another start")).kill()
        assert other.poll() is None
        other.communicate("\n")
    process.communicate()
    assert process.returncode == 0


def test_a_process_that_is_seen_is_killed():
    code = OWNER.replace("sys.stdin.read()", "import os, signal; os.kill(os.getpid(), 19)")
    with python(code, stdout=subprocess.PIPE) as process:
        owner = ProcessIdentity(eval(process.stdout.readline()))  # noqa: S307 (a tuple of a test)
        wait_for(owner.is_stopped)
        owner.kill()
        assert process.wait(DEADLINE) == -signal.SIGKILL
        assert owner.is_gone()


def test_the_host_name_is_no_part_of_what_a_process_is():
    assert os.uname().nodename not in repr(tuple(ProcessIdentity.this_process()))
