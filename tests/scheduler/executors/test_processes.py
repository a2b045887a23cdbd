"""A worker that dies, is stopped, or does not answer: nothing hangs, nobody innocent is charged.

Covers `scheduler.dispatch.reconciliation`, `scheduler.executors.loss_watch`,
`scheduler.executors.worker_process`,
`scheduler.executors.suspension`, `scheduler.worker.process`, `scheduler.worker.heartbeat`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
    nowutc,
)
from scheduler.executors.base import WorkerLoad
from scheduler.executors.processes import ProcessExecutor
from scheduler.executors.worker_process import WorkerProcess
from scheduler.leadership.roster import roster_of
from tests.scheduler.harness import running
from tests.scheduler.sample_children import Compute, DieCommitting, DieLoading, HoldInterpreter
from tests.scheduler.sample_long import Sleep, Wait
from tests.scheduler.sample_misbehaving import DieAtTheDoor
from tests.scheduler.sample_tasks import Count
from tests.waiting import DEADLINE, wait_for


@pytest.fixture
def share(monkeypatch):
    """Let each worker have many claims at a time, however long tasks take."""
    monkeypatch.setattr(WorkerLoad, "share", 20)


def states_of(task):
    return [attempt.state for attempt in task.getAttempts()]


def workers(view):
    return list(roster_of(view.connection).workers)


def ready_worker(view):
    """Return the process of the one worker, once it is ready."""
    post = view.until(lambda: [each for each in workers(view) if not each.state])[0]
    return psutil.Process(int(post.worker.partition("/")[2]))


# Deaths


def test_a_claim_handed_to_a_dead_worker_is_run_by_the_next_and_not_charged(
    view, database, monkeypatch
):
    gate, lose = threading.Event(), ProcessExecutor._lose

    def lose_later(executor, worker):
        gate.wait(30)
        lose(executor, worker)

    monkeypatch.setattr(ProcessExecutor, "_lose", lose_later)
    with running(database, multitask_mode="processes", workers=1):
        worker = ready_worker(view)
        worker.kill()
        wait_for(lambda: not worker.is_running())
        task = view.enqueue(Count(nowutc()))
        view.until_counts(running=1)
        gate.set()
        view.until_counts(finished=1)
    assert states_of(task) == [TASK_STATUS_FINISHED]


def test_a_claim_handed_out_while_the_loss_is_judged_is_not_left_behind(
    view, database, monkeypatch
):
    gate, is_judged = threading.Event(), threading.Event()
    judge = ProcessExecutor._loss

    def judge_slowly(executor, worker):
        is_judged.set()
        gate.wait(30)
        return judge(executor, worker)

    monkeypatch.setattr(ProcessExecutor, "_loss", judge_slowly)
    with running(database, multitask_mode="processes", workers=1):
        ready_worker(view).kill()
        assert is_judged.wait(DEADLINE)
        view.enqueue(Count(nowutc()))
        view.until(lambda: view.counts().get("running") or view.counts().get("spooled"))
        gate.set()
        view.until_counts(finished=1)


def test_no_task_is_claimed_for_a_worker_that_is_only_being_started(view, database, monkeypatch):
    is_there, gate, receive = threading.Event(), threading.Event(), ProcessExecutor._receive_result

    def receive_late(executor, worker, message):
        if message[0] == "ready":
            is_there.set()
            gate.wait(30)
        receive(executor, worker, message)

    monkeypatch.setattr(ProcessExecutor, "_receive_result", receive_late)
    view.enqueue(Count(nowutc()))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(waiting=1)
        assert is_there.wait(DEADLINE)
        assert view.counts() == {"waiting": 1}
        gate.set()
        view.until_counts(finished=1)


def test_only_the_task_that_was_at_work_is_charged(view, database, tmp_path, share):
    pids = tmp_path / "pids"
    at_work = Sleep(nowutc(), 60, str(pids))
    waiting = [Count(nowutc()) for _ in range(4)]
    view.enqueue(at_work, *waiting)
    with running(database, multitask_mode="processes", workers=1):
        view.until(lambda: pids.exists() and pids.read_text())
        os.kill(int(pids.read_text()), signal.SIGKILL)
        view.until_counts(failed=1, finished=4)
    assert [states_of(task) for task in waiting] == [[TASK_STATUS_FINISHED]] * 4
    assert states_of(at_work) == [TASK_STATUS_FAILED]
    assert at_work.getAttempts()[0].worker.startswith("process-0/")


def test_a_task_that_is_cancelled_behind_another_does_not_end_that(view, database, tmp_path, share):
    go = tmp_path / "go"
    at_work, cancelled = Wait(nowutc(), str(go)), Count(nowutc())
    view.enqueue(at_work, cancelled)
    with running(database, multitask_mode="processes", workers=1):
        wait_for(lambda: Path(f"{go}.begun").exists())
        view.client.cancelTask(cancelled)
        view.commit()
        view.until_counts(failed=1, running=1)
        go.touch()
        view.until_counts(failed=1, finished=1)
    assert states_of(at_work) == [TASK_STATUS_FINISHED]
    assert view.root["count"] == 1


def test_a_death_in_a_common_commit_is_charged_to_the_task_that_does_it_again(
    view, database, share, one_commit
):
    others = [Count(nowutc()) for _ in range(4)]
    culprit = DieCommitting(nowutc())
    view.enqueue(*others[:2], culprit, *others[2:])
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(failed=1, finished=4)
    assert states_of(culprit)[-1] == TASK_STATUS_FAILED
    assert {state for task in others for state in states_of(task)} <= {
        TASK_STATUS_FINISHED,
        TASK_STATUS_QUEUED,
    }


def test_a_task_that_kills_whoever_loads_it_fails_and_the_others_are_run(view, database, share):
    culprit = view.enqueue(DieLoading(nowutc()), *(Count(nowutc()) for _ in range(4)))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(failed=1, finished=4)
    assert culprit.getAttempts()[-1].message == "the worker died while it loaded this task"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_thread_that_has_ended_is_replaced(view, database):
    before = set(threading.enumerate())
    with running(database, workers=1, sleep_interval=0.1):
        view.until(lambda: workers(view))
        threads = set(threading.enumerate()) - before
        (worker,) = [each for each in threads if each.name.startswith("thread-")]
        # It is raised as soon as the thread, which waits, goes on.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(worker.ident), ctypes.py_object(SystemExit)
        )
        view.enqueue(Count(nowutc()))
        wait_for(lambda: not worker.is_alive())
        view.until_counts(finished=1)


# The net


def test_a_claim_that_nobody_holds_is_given_out_again_and_the_log_says_so(
    view, database, monkeypatch, caplog
):
    give, dropped = WorkerProcess.give, []

    def drop_first(worker, claims, seen_from):
        if dropped:
            give(worker, claims, seen_from)
        dropped.extend(claims)

    monkeypatch.setattr(WorkerProcess, "give", drop_first)
    monkeypatch.setattr("scheduler.dispatch.reconciliation.RECONCILE_SECONDS", 0.1)
    task = view.enqueue(Count(nowutc()))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(finished=1)
    number = dropped[0].number
    assert f"task {task.getId()}: no worker holds claim {number}" in caplog.text
    assert states_of(task) == [TASK_STATUS_FINISHED]


def test_a_claim_at_work_or_reported_is_never_given_out_again(
    view, database, monkeypatch, caplog, tmp_path
):
    monkeypatch.setattr("scheduler.dispatch.reconciliation.RECONCILE_SECONDS", 0.0)
    view.enqueue(Wait(nowutc(), str(tmp_path / "go")), *(Count(nowutc()) for _ in range(200)))
    for mode in ("threads", "processes"):
        with running(database, multitask_mode=mode):
            view.until(lambda: view.counts().get("finished", 0) >= 200)
            (tmp_path / "go").touch()
            view.until_counts(finished=201)
    assert "no worker holds" not in caplog.text


# Silence


def suspend(process):
    process.suspend()
    return process.resume


def freeze(process):
    """Freeze the control group that *process* is put into, in version 1 or 2."""
    group = next(
        each for each in map(Path, ("/sys/fs/cgroup/freezer", "/sys/fs/cgroup")) if each.is_dir()
    )
    if "freezer" not in str(group):
        group = Path("/sys/fs/cgroup")
    mine = group / f"relay-{process.pid}"
    try:
        mine.mkdir()
        (mine / "cgroup.procs").write_text(str(process.pid))
        state, on, off = ("cgroup.freeze", "1", "0")
        if (mine / "freezer.state").exists():
            state, on, off = ("freezer.state", "FROZEN", "THAWED")
        (mine / state).write_text(on)
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")

    def thaw():
        (mine / state).write_text(off)
        process.wait(DEADLINE)
        with suppress(OSError):
            mine.rmdir()

    return thaw


@pytest.mark.parametrize("still", [suspend, freeze])
def test_a_worker_that_is_stopped_is_shown_and_its_task_is_run_by_another(
    view, database, tmp_path, still, caplog
):
    go, pids = tmp_path / "go", tmp_path / "pids"
    pids.touch()
    task = Wait(nowutc(), str(go))
    task.maxTries = 1
    with running(database, multitask_mode="processes", workers=1, worker_silence=1):
        worker = ready_worker(view)
        view.enqueue(task)
        wait_for(lambda: Path(f"{go}.begun").exists())
        release = still(worker)
        try:
            view.until(lambda: [each.state for each in workers(view)] == ["stopped"])
            view.until(lambda: workers(view) and ready_worker(view).pid != worker.pid)
            go.touch()
            view.until_counts(finished=1)
        finally:
            with suppress(psutil.NoSuchProcess):
                release()
    assert "is stopped, without a heartbeat" in caplog.text
    assert states_of(task) == [TASK_STATUS_QUEUED, TASK_STATUS_FINISHED]
    assert view.root["count"] == 1


def test_an_idle_worker_that_is_stopped_is_replaced(view, database):
    with running(database, multitask_mode="processes", workers=1, worker_silence=0):
        worker = ready_worker(view)
        worker.suspend()
        task = view.enqueue(Count(nowutc()))
        view.until_counts(finished=1)
    assert states_of(task) == [TASK_STATUS_FINISHED]


@pytest.mark.parametrize("kind", [HoldInterpreter, Compute])
def test_a_worker_whose_task_holds_the_interpreter_is_not_mistaken_for_a_stopped_one(
    view, database, kind
):
    task = kind(nowutc(), 6)
    with running(database, multitask_mode="processes", workers=1, worker_silence=0):
        ready_worker(view)
        view.enqueue(task)
        if kind is HoldInterpreter:
            view.until(lambda: [each.state for each in workers(view)] == ["unresponsive"])
        view.until_counts(finished=1)
    assert states_of(task) == [TASK_STATUS_FINISHED]


@pytest.mark.parametrize(("when", "tries"), [("before", 0), ("after", 1)])
def test_a_death_costs_a_try_from_the_note_on_that_precedes_the_first_line(
    view, database, tmp_path, when, tries
):
    view.root["count"] = 0
    task = view.enqueue(DieAtTheDoor(nowutc(), str(tmp_path / "mark"), when))
    with running(database, multitask_mode="processes", workers=1):
        view.until_counts(finished=1)
    assert states_of(task).count(TASK_STATUS_FAILED) == tries
    assert view.root["count"] == 1
