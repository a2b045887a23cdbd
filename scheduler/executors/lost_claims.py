"""The loss of a worker: the further way of the claims that it held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.executors.base import WITH_ANOTHER, WORKER_DIED, KillReason, Lost
from scheduler.inbox.claims import Claim
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_QUEUED
from scheduler.worker.heartbeat import BegunClaims

# Workers that must have died while they loaded a task before the task is charged for it: a worker
# that is killed from outside may be loading any task.
DEADLY_LOADS = 4
DIED_LOADING = "the worker died while it loaded this task"
DIED_COMMITTING = "the worker died while it committed this task with others"


class WorkerLoss(NamedTuple):
    """The claims of one lost worker, sorted by their further way."""

    lost: list[Lost]
    """The claims that it had begun."""
    back: list[Claim]
    """The claims that it had not begun, which other workers get."""
    suspects: dict[int, int]
    """The numbers of tasks that may have ended the worker, each to be run alone.

    The value is 1 for a task that was being loaded, else 0.
    """


def loss_of(
    held: Sequence[Claim],
    begun_claims: BegunClaims,
    kill_reason: KillReason | None,
    suspects: Mapping[int, int],
    worker: str,
) -> WorkerLoss:
    """Return the loss of a *worker* that held the claims *held* and has left these *begun_claims*.

    *kill_reason* says why it was ended, None where it has died. *suspects* are tasks that were
    suspected before, with how many workers have died at their loading. Only a task that had
    begun is charged a try, or one at whose loading several workers have died.
    """
    culprit, at_loading = _culprit(held, begun_claims, kill_reason, suspects)
    kill_reason = kill_reason or KillReason(
        TASK_STATUS_FAILED, DIED_LOADING if at_loading else WORKER_DIED
    )
    lost = [] if culprit is None else [Lost(culprit, kill_reason.state, kill_reason.why, worker)]
    begun = {begun_claims.running, *begun_claims.done}
    others = [claim for claim in held if claim.number in begun and claim != culprit]
    back = [claim for claim in held if claim.number not in begun and claim != culprit]
    if kill_reason.state == TASK_STATUS_QUEUED:
        why = kill_reason.why
    elif culprit is not None or begun_claims.loading:
        why = WITH_ANOTHER
    else:
        why = DIED_COMMITTING
    lost += [Lost(claim, TASK_STATUS_QUEUED, why, worker) for claim in others]
    if culprit is None and kill_reason.state == TASK_STATUS_FAILED:
        unclear = {begun_claims.loading} if begun_claims.loading else begun
    elif culprit is not None and culprit.number in begun_claims.done:
        # Another coroutine may have kept it from ending; that one is to keep no other from it.
        unclear = {begun_claims.in_loop} - {culprit.number}
    else:
        unclear = set()
    deaths = int(culprit is None and begun_claims.loading != 0)
    return WorkerLoss(lost, back, {claim.tid: deaths for claim in held if claim.number in unclear})


def _culprit(
    held: Sequence[Claim],
    begun_claims: BegunClaims,
    kill_reason: KillReason | None,
    suspects: Mapping[int, int],
) -> tuple[Claim | None, bool]:
    """Return the claim that the worker is ended for, if known, and whether it was being loaded."""
    if kill_reason is not None and kill_reason.claim is not None:
        return kill_reason.claim, False
    by_number = {claim.number: claim for claim in held}
    if begun_claims.running:
        return by_number.get(begun_claims.running), False
    if begun_claims.loading:
        loaded = by_number.get(begun_claims.loading)
        is_deadly = loaded is not None and suspects.get(loaded.tid, 0) >= DEADLY_LOADS - 1
        return (loaded, True) if is_deadly else (None, False)
    done = [by_number[number] for number in begun_claims.done if number in by_number]
    return (done[0] if len(done) == 1 else None), False
