"""Who is charged a try when a worker has ended, and who is not.

Covers `scheduler.inbox.claims`.
"""

from __future__ import annotations

import pytest

from scheduler import TASK_STATUS_FAILED, TASK_STATUS_QUEUED, TASK_STATUS_TERMINATED
from scheduler.executors.base import KillReason
from scheduler.executors.lost_claims import loss_of
from scheduler.inbox.claims import Claim
from scheduler.worker.heartbeat import BegunClaims, WorkerHeartbeat

A, B, C = (Claim(tid, tid * 10, 0.0) for tid in (1, 2, 3))
NOTHING = BegunClaims(0, 0, frozenset())


def at_work(*coroutines, in_loop):
    return BegunClaims(0, 0, frozenset(claim.number for claim in coroutines), in_loop.number)


def judged(held, begun_claims, kill_reason=None, suspects=()):
    judgement = loss_of(held, begun_claims, kill_reason, dict(suspects), "process-0/7")
    states = {lost.claim: lost.state for lost in judgement.lost}
    return states, judgement.back, judgement.suspects


def test_a_worker_that_had_begun_nothing_charges_nobody():
    assert judged([A, B], NOTHING) == ({}, [A, B], {})
    assert judged([A], NOTHING) == ({}, [A], {})


def test_the_task_at_work_is_charged_and_no_other():
    states, back, suspects = judged([A, B, C], BegunClaims(0, B.number, frozenset([A.number])))
    assert states == {B: TASK_STATUS_FAILED, A: TASK_STATUS_QUEUED}
    assert (back, suspects) == ([C], {})


def test_a_death_in_the_commit_of_one_is_its_own():
    states, back, _ = judged([A, B], BegunClaims(0, 0, frozenset([A.number])))
    assert (states, back) == ({A: TASK_STATUS_FAILED}, [B])


def test_a_death_in_the_commit_of_several_makes_each_a_suspect():
    states, back, suspects = judged([A, B, C], BegunClaims(0, 0, frozenset([A.number, B.number])))
    assert states == {A: TASK_STATUS_QUEUED, B: TASK_STATUS_QUEUED}
    assert (back, suspects) == ([C], {A.tid: 0, B.tid: 0})


def test_a_task_is_charged_when_several_workers_have_died_at_its_loading():
    at_loading = BegunClaims(A.number, 0, frozenset())
    assert judged([A, B], at_loading) == ({}, [A, B], {A.tid: 1})
    states, back, _ = judged([A, B], at_loading, suspects={A.tid: 3})
    assert (states, back) == ({A: TASK_STATUS_FAILED}, [B])


def test_a_death_at_loading_is_not_charged_to_the_run_before():
    states, back, suspects = judged([A, B], BegunClaims(B.number, 0, frozenset([A.number])))
    assert (states, back, suspects) == ({A: TASK_STATUS_QUEUED}, [B], {B.tid: 1})


def test_a_coroutine_that_keeps_the_loop_from_one_over_its_limit_is_run_alone_and_not_charged():
    overdue = KillReason(TASK_STATUS_TERMINATED, "too long", A)
    states, back, suspects = judged([A, B, C], at_work(A, B, in_loop=B), overdue)
    assert states == {A: TASK_STATUS_TERMINATED, B: TASK_STATUS_QUEUED}
    assert (back, suspects) == ([C], {B.tid: 0})
    assert judged([A, B], at_work(A, B, in_loop=A), overdue)[2] == {}


@pytest.mark.parametrize("held", [[A, B], [B]])
def test_a_run_over_its_limit_is_ended_alone(held):
    kill_reason = KillReason(TASK_STATUS_TERMINATED, "took too long", A)
    states, back, suspects = judged(held, BegunClaims(0, B.number, frozenset()), kill_reason)
    assert states == {A: TASK_STATUS_TERMINATED, B: TASK_STATUS_QUEUED}
    assert (back, suspects) == ([], {})


def test_nobody_is_charged_for_a_worker_that_was_stopped():
    kill_reason = KillReason(TASK_STATUS_QUEUED, "stopped")
    states, back, _ = judged([A, B], BegunClaims(0, A.number, frozenset()), kill_reason)
    assert (states, back) == ({A: TASK_STATUS_QUEUED}, [B])


def test_the_vitals_tell_what_was_begun_in_the_open_transaction():
    heartbeat = WorkerHeartbeat.private()
    assert heartbeat.begun_claims() == NOTHING
    heartbeat.begin()
    heartbeat.load(10)
    assert heartbeat.begun_claims() == BegunClaims(10, 0, frozenset())
    heartbeat.run()
    assert heartbeat.begun_claims() == BegunClaims(0, 10, frozenset())
    heartbeat.done()
    heartbeat.load(20)
    assert heartbeat.begun_claims() == BegunClaims(20, 0, frozenset([10]))
    heartbeat.commit()
    assert heartbeat.begun_claims() == BegunClaims(0, 0, frozenset([10]))
    heartbeat.give_loop(30)
    assert heartbeat.begun_claims().in_loop == 30
    heartbeat.give_loop(0)
    heartbeat.begin()
    assert heartbeat.begun_claims() == NOTHING
