"""The end of a worker process: its line of the log, and its event."""

from __future__ import annotations

import logging

from scheduler.executors.lost_claims import WorkerLoss
from scheduler.executors.worker_process import WorkerProcess
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.tasks.hooks import WorkerEvent

log = logging.getLogger(__name__)


def announce_end(worker: WorkerProcess, loss: WorkerLoss) -> None:
    """Log how *worker* has ended; tell the hooks, if it was not meant to."""
    is_meant = worker.is_retired and not loss.lost
    if not is_meant:
        tasks = tuple(lost.claim.tid for lost in loss.lost)
        event = WorkerEvent(worker.signature, worker.ending(), tasks)
        REGISTRY.call_soon("on_worker_lost", event)
    level = logging.INFO if is_meant else logging.WARNING
    begun = ", ".join(f"task {lost.claim.tid}" for lost in loss.lost) or "no task"
    back = ", ".join(f"task {claim.tid}" for claim in loss.back[:10]) or "none"
    log.log(
        level,
        "worker %s %s; it was at %s; given to other workers: %s (%d)",
        *(worker, worker.ending(), begun, back, len(loss.back)),
    )
