"""A long task commits parts of its work, and goes on from there after a failure or a kill."""

from __future__ import annotations

import pytest
import transaction
from persistent.list import PersistentList

from scheduler import TASK_STATUS_ABORTED, TASK_STATUS_FAILED, attempt
from scheduler.testing import Relay
from tests.scheduler import sample_checkpoints
from tests.scheduler.harness import running
from tests.scheduler.sample_checkpoints import (
    copy_all,
    fail_once,
    keep_too_much,
    keep_what_cannot_be_stored,
    note,
    wait_before_checkpoint,
)
from tests.waiting import DEADLINE

NUMBER, STEP = 6, 3


@pytest.fixture
def copied(relay: Relay):
    relay.connection.root()["copied"] = PersistentList()
    transaction.commit()
    return relay.connection.root()["copied"]


def test_a_failed_task_goes_on_behind_its_checkpoint(relay: Relay, copied, tmp_path):
    call = fail_once.enqueue(str(tmp_path))
    relay.run_due()
    assert [*copied] == ["before"]
    relay.clock.advance(60)
    relay.run_due()
    assert [*copied] == ["before", "after"]
    assert call.getResult() == {"at": 1}


def test_a_task_that_is_run_anew_begins_at_the_beginning(relay: Relay, copied):
    sample_checkpoints.go_on.set()
    call = wait_before_checkpoint.enqueue()
    relay.run_due()
    relay.enqueue(call)
    relay.run_due()
    assert [*copied] == ["first", "second"] * 2


def test_short_tasks_before_it_are_not_committed_without_their_mark(relay: Relay, copied):
    sample_checkpoints.go_on.set()
    calls = [note.enqueue("a"), note.enqueue("b"), wait_before_checkpoint.enqueue()]
    relay.run_due()
    assert sorted(copied) == ["a", "b", "first", "second"]
    assert {len(call.getAttempts()) for call in calls} == {1}


@pytest.mark.parametrize(
    ("function", "message"),
    [(keep_too_much, "TooLarge: the state"), (keep_what_cannot_be_stored, "TypeError: cannot")],
)
def test_a_state_that_cannot_be_kept_fails_the_task(
    relay: Relay, copied, monkeypatch, function, message
):
    call = function.enqueue()
    relay.client.getSpool().max_size = 1
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_FAILED
    assert call.getAttempts()[-1].message.startswith(message)
    assert [*copied] == []


def test_outside_of_an_attempt_a_checkpoint_is_nothing(relay: Relay):
    attempt.checkpoint("nowhere")
    assert attempt.state is None


def test_a_task_that_was_cancelled_makes_no_further_checkpoint(view, database):
    view.root["copied"] = PersistentList()
    sample_checkpoints.began.clear()
    sample_checkpoints.go_on.clear()
    call = wait_before_checkpoint.enqueue()
    view.commit()
    with running(database, workers=1):
        assert sample_checkpoints.began.wait(DEADLINE)
        view.refresh()
        view.client.cancelTask(call)
        view.commit()
        view.until(lambda: call.getStatus() == TASK_STATUS_ABORTED)
        sample_checkpoints.go_on.set()
        after = note.enqueue("after")
        view.commit()
        view.client.waitFor(after, DEADLINE)
    assert [*view.root["copied"]] == ["first", "after"]


def test_a_killed_worker_goes_on_behind_the_last_checkpoint(view, database, tmp_path):
    view.root["copied"] = PersistentList()
    call = copy_all.enqueue(NUMBER, str(tmp_path), STEP)
    view.commit()
    with running(database, workers=1, multitask_mode="processes"):
        view.client.waitFor(call, DEADLINE)
    numbers, keys = zip(*view.root["copied"], strict=True)
    assert numbers == tuple(range(NUMBER))
    assert len(set(keys)) == NUMBER
    kills = 2 * NUMBER // STEP
    assert len(call.getAttempts()) == kills + 1
    lost = call.getAttempts()[1]
    assert [line.rpartition(" ")[2] for line in lost.log] == ["2"]
    assert call.getProgress() is None
