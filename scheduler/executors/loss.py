"""Judgement: what becomes of the claims of a worker that has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.executors.base import WITH_ANOTHER, WORKER_DIED, Lost, Verdict
from scheduler.inbox.claims import Claim
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_QUEUED
from scheduler.worker.heartbeat import Remains

# So many workers must have died at the loading of one task before that is charged for it: a
# worker that is killed from outside may be loading any task.
DEADLY_LOADS = 4
DIED_LOADING = "the worker died while it loaded this task"
DIED_COMMITTING = "the worker died while it committed this task with others"


class Judgement(NamedTuple):
    """What becomes of the claims of one worker."""

    lost: list[Lost]
    """Those that it had begun."""
    back: list[Claim]
    """Those that it had not begun: another worker may run them as if nothing had been."""
    suspects: dict[int, int]
    """The numbers of tasks that may have ended the worker: each is to be run by itself.

    With 1 for one that was being loaded, else 0.
    """


def judge(
    held: Sequence[Claim],
    remains: Remains,
    verdict: Verdict | None,
    suspects: Mapping[int, int],
    worker: str,
) -> Judgement:
    """Judge a *worker* that held the claims *held* and has left these *remains*.

    *verdict* says why it was ended, None where it has died. *suspects* are tasks that were
    suspected before, with how many workers have died at their loading. Only a task that had
    begun is charged a try, or one at whose loading several workers have died.
    """
    culprit, at_loading = _culprit(held, remains, verdict, suspects)
    verdict = verdict or Verdict(TASK_STATUS_FAILED, DIED_LOADING if at_loading else WORKER_DIED)
    lost = [] if culprit is None else [Lost(culprit, verdict.state, verdict.why, worker)]
    begun = {remains.running, *remains.done}
    others = [claim for claim in held if claim.number in begun and claim != culprit]
    back = [claim for claim in held if claim.number not in begun and claim != culprit]
    if verdict.state == TASK_STATUS_QUEUED:
        why = verdict.why
    elif culprit is not None or remains.loading:
        why = WITH_ANOTHER
    else:
        why = DIED_COMMITTING
    lost += [Lost(claim, TASK_STATUS_QUEUED, why, worker) for claim in others]
    if culprit is not None or verdict.state != TASK_STATUS_FAILED:
        return Judgement(lost, back, {})
    unclear = {remains.loading} if remains.loading else begun
    deaths = int(remains.loading != 0)
    return Judgement(lost, back, {claim.tid: deaths for claim in held if claim.number in unclear})


def _culprit(
    held: Sequence[Claim],
    remains: Remains,
    verdict: Verdict | None,
    suspects: Mapping[int, int],
) -> tuple[Claim | None, bool]:
    """Return the claim that the worker is ended for, if known, and whether it was being loaded."""
    if verdict is not None and verdict.claim is not None:
        return verdict.claim, False
    by_number = {claim.number: claim for claim in held}
    if remains.running:
        return by_number.get(remains.running), False
    if remains.loading:
        loaded = by_number.get(remains.loading)
        is_deadly = loaded is not None and suspects.get(loaded.tid, 0) >= DEADLY_LOADS - 1
        return (loaded, True) if is_deadly else (None, False)
    done = [by_number[number] for number in remains.done if number in by_number]
    return (done[0] if len(done) == 1 else None), False
