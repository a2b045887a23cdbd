"""The watch for lost workers: those that are stopped, overdue, too large, or do not die."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from scheduler.executors.base import KillReason
from scheduler.executors.worker_process import WorkerProcess
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_QUEUED

log = logging.getLogger(__name__)

# Seconds after which a killed process is given up, and one that has said goodbye is killed.
KILL_SECONDS = 2.0
LOOK_SECONDS = 1.0
# A worker over the memory limit may end its task; over this multiple of the limit it is killed.
KILLED_OVER = 2


class LossWatch:
    """Checks worker processes, and kills those that are lost; each notices its own end itself.

    *wake* is called where a new state is to be shown, *lose* with a process that does not die.
    """

    def __init__(
        self,
        settings: Settings,
        wake: Callable[[], None],
        lose: Callable[[WorkerProcess], None],
    ) -> None:
        self._settings = settings
        self._wake = wake
        self._lose = lose
        self.next_look = 0.0
        """When heartbeats and memory are to be checked next, by the monotonic clock."""

    def check(self, workers: Sequence[WorkerProcess]) -> None:
        """Check *workers* for what is due: limits of attempts always, heartbeats once a second."""
        for worker in workers:
            self._check_time(worker)
        if time.monotonic() < self.next_look:
            return
        self.next_look = time.monotonic() + LOOK_SECONDS
        for worker in workers:
            if worker.killed is None:
                self._check_heartbeat(worker)
                self._check_memory(worker)

    def _check_time(self, worker: WorkerProcess) -> None:
        now = time.monotonic()
        begun = worker.watch.overdue()
        if begun is not None:
            worker.kill(KillReason.overdue(begun))
        why = worker.coroutines.overdue()
        if why is not None:
            worker.kill(why)
        if worker.leaves is not None and now > worker.leaves:
            worker.leaves = None
            worker.kill(KillReason(TASK_STATUS_QUEUED, "the worker had ended its work"))
        if worker.killed is not None and now > worker.killed + KILL_SECONDS:
            log.warning("worker %s given up: it does not die", worker)
            self._lose(worker)

    def _check_heartbeat(self, worker: WorkerProcess) -> None:
        before = worker.state
        stopped = worker.look()
        if worker.state != before:
            self._wake()
        if stopped * LOOK_SECONDS > self._settings.worker_silence:
            why = f"the worker was stopped, and gave no sign of life for {stopped} s"
            log.error("worker %s killed: it was stopped for %d s", worker, stopped)
            worker.kill(KillReason(TASK_STATUS_QUEUED, why))

    def _check_memory(self, worker: WorkerProcess) -> None:
        limit = self._settings.worker_memory * 2**20
        used = worker.memory() if limit else 0
        if limit and used > KILLED_OVER * limit:
            log.error("worker %s killed: it uses %d MB", worker, used // 2**20)
            why = f"the worker was ended while it ran this task: it used {used // 2**20} MB"
            worker.kill(KillReason(TASK_STATUS_FAILED, why))
        elif limit and used > limit and not worker.is_retired:
            log.warning("worker %s retired: it uses %d MB", worker, used // 2**20)
            worker.retire()
