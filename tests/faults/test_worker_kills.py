"""Workers are killed all the time: no claim is left behind, and nobody innocent is charged."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import psutil
import pytest

from scheduler import TASK_STATUS_FAILED, nowutc
from scheduler.executors import processes
from scheduler.executors.lost_claims import loss_of
from scheduler.store import open_database
from scheduler.tasks import OneShotTask
from tests.faults.processes import is_worker, serving
from tests.scheduler.harness import running, viewing

KILLS = 3000 if os.environ.get("SOAK") else 8
WORKERS, PAUSE, WAITING = 3, 0.3, 100
DEADLINE = 120.0


class Brief(OneShotTask):
    """Notes in *file* that it has begun, and where, and takes a moment."""

    maxTries = 1000
    times = 0

    def __init__(self, start, file, seconds):
        super().__init__(start)
        self.file = file
        self.seconds = seconds

    def run(self):
        with open(self.file, "a") as file:
            file.write(f"{self.getId()} {os.getpid()}\n")
        time.sleep(self.seconds)
        self.times += 1


def kill_one(file, draw):
    """Kill a worker that has begun a task, now and then one that has not; return those killed."""
    begun = {line.split()[1] for line in file.read_text().splitlines()[-300:]}
    workers = [child for child in psutil.Process().children() if is_worker(child)]
    at_work = [worker for worker in workers if str(worker.pid) in begun]
    victims = at_work or (workers if draw.random() < 0.1 else [])
    killed = draw.sample(victims, min(1, len(victims)))
    for victim in killed:
        victim.kill()
    return killed


class Losses:
    """The runs that lost workers had noted as begun, from the memory that outlasts them."""

    def __init__(self):
        self.begun = set()

    def of(self, held, begun_claims, *rest):
        """Return what `loss_of` does."""
        loss = loss_of(held, begun_claims, *rest)
        lost = [each for each in loss.lost if each.claim.number == begun_claims.running]
        self.begun.update((str(each.claim.tid), pid_of(each.worker)) for each in lost)
        return loss


def pid_of(signature):
    return signature.rpartition("/")[2]


def check(tasks, file, killed, losses):
    """Check that each task has had its effect once, and who was charged for which death."""
    begun = {tuple(line.split()) for line in file.read_text().splitlines()}
    charged = [
        (str(task.getId()), pid_of(attempt.worker))
        for task in tasks
        for attempt in task.getAttempts()
        if attempt.state == TASK_STATUS_FAILED
    ]
    assert [task.getId() for task in tasks if task.times != 1] == []
    # A worker may be killed between its note that the run begins and the mark of the task.
    between = [pair for pair in charged if pair not in begun]
    assert set(between) <= losses.begun
    # The system gives a number to more than one process in the course of time.
    deaths = Counter(str(process.pid) for process in killed)
    assert Counter(pid for _, pid in charged) - deaths == Counter()
    return f"{len(charged)} charged, {len(between)} between note and mark"


@pytest.fixture
def losses(monkeypatch):
    seen = Losses()
    monkeypatch.setattr(processes, "loss_of", seen.of)
    return seen


@pytest.fixture(params=["embedded", "zeo"])
def uri(request, tmp_path, free_port):
    if request.param == "embedded":
        yield f"file://{tmp_path}/data.fs"
        return
    with serving(tmp_path / "zeo.fs", free_port):
        yield f"zeo://127.0.0.1:{free_port}?wait_timeout=10"


@pytest.mark.timeout(10800)
def test_killed_workers_leave_no_claim_behind_and_charge_no_innocent(uri, tmp_path, losses, caplog):
    draw, file, tasks, killed = random.Random(), tmp_path / "begun", [], set()
    file.touch()
    with viewing(open_database(uri)) as view:
        with running(
            view.database, multitask_mode="processes", workers=WORKERS, task_max_tries=1000
        ):
            while len(killed) < KILLS:
                view.refresh()
                if view.counts().get("waiting", 0) + view.counts().get("spooled", 0) < WAITING:
                    new = [Brief(nowutc(), str(file), draw.uniform(0, 0.03)) for _ in range(100)]
                    tasks += new
                    view.enqueue(*new)
                time.sleep(draw.uniform(0.5, 1) * PAUSE)
                killed.update(kill_one(file, draw))
            view.until_counts(DEADLINE, finished=len(tasks))
        charged = check(tasks, file, killed, losses)
    again = caplog.text.count("it is given out again")
    print(f"{len(killed)} kills, {len(tasks)} tasks, {charged}, {again} given out again")
    assert again == 0
