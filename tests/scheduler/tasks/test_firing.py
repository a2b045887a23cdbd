"""What becomes of dates at which a task cannot be run, and of the runs there were."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_QUEUED,
    TASK_STATUS_TERMINATED,
    nowutc,
)
from scheduler.shelves.queue_slot import slot_of
from scheduler.tasks import IntervalTask, PeriodicTask, PeriodicUniqueTask
from scheduler.tasks.firing import Firing
from tests.scheduler.harness import running
from tests.scheduler.sample_attempts import Queued
from tests.scheduler.sample_recurring import Noted, NotedForgetful, WaitEverySecond

MINUTE = 60


@pytest.fixture
def start(relay):
    return relay.clock.now


def seconds_of_runs(relay, start):
    return [(at - start).total_seconds() for at in relay.connection.root().get("runs", ())]


def enqueue_and_miss(relay, task, seconds):
    """Run *task* at its first date, and then be away for so many seconds."""
    relay.enqueue(task)
    relay.run_due()
    relay.clock.advance(seconds)
    relay.run_due()
    return task


# Missed dates


def test_missed_dates_are_made_up_for_by_one_late_run(relay, start):
    task = enqueue_and_miss(relay, Noted(MINUTE), 330)
    assert seconds_of_runs(relay, start) == [0, 330]
    assert task.getStartOn() == start + timedelta(seconds=360)


def test_all_that_was_missed_may_be_run_one_after_the_other(relay, start):
    task = enqueue_and_miss(relay, Noted(MINUTE, catchUp="all"), 330)
    assert seconds_of_runs(relay, start) == [0, 330, 330, 330, 330, 330]
    assert task.getStartOn() == start + timedelta(seconds=360)


def test_all_that_was_missed_between_two_tries_is_run_too(relay, start):
    task = Noted(MINUTE, catchUp="all")
    task.fails = True
    relay.enqueue(task)
    relay.run_due()
    task.fails = False
    relay.clock.advance(150)
    relay.run_due()
    assert seconds_of_runs(relay, start) == [150, 150, 150]


def test_missed_dates_may_be_left_out_and_are_recorded_as_missed(relay, start):
    task = enqueue_and_miss(relay, NotedForgetful(MINUTE), 320)
    # What is 20 s late is not missed yet.
    assert seconds_of_runs(relay, start) == [0, 320]
    assert [found.getStatus() for found in task.getOccurrences()] == [
        TASK_STATUS_FINISHED,
        TASK_STATUS_TERMINATED,
        TASK_STATUS_FINISHED,
    ]
    assert task.getStartOn() == start + timedelta(seconds=360)


def test_a_run_that_cannot_start_within_its_grace_is_recorded_as_missed(relay, start):
    task = enqueue_and_miss(relay, Noted(3600, misfireGrace=5), 3606)
    assert seconds_of_runs(relay, start) == [0]
    missed = task.getOccurrences()[-1]
    assert missed.getStatus() == TASK_STATUS_TERMINATED
    assert missed.message.startswith("missed: it was due at ")
    assert task.getStatus() == TASK_STATUS_QUEUED
    assert task.getStartOn() == start + timedelta(seconds=7200)
    assert relay.client.getStatus()["failed"] == 1


def test_within_its_grace_a_run_starts_late(relay, start):
    enqueue_and_miss(relay, Noted(3600, misfireGrace=5), 3605)
    assert seconds_of_runs(relay, start) == [0, 3605]


def test_of_all_that_was_missed_each_date_beyond_the_grace_is_recorded(relay, start):
    task = enqueue_and_miss(relay, Noted(MINUTE, catchUp="all", misfireGrace=70), 330)
    assert seconds_of_runs(relay, start) == [0, 330]
    states = [found.getStatus() for found in task.getOccurrences()]
    assert states == [TASK_STATUS_FINISHED, *4 * [TASK_STATUS_TERMINATED], TASK_STATUS_FINISHED]


def test_a_retry_is_not_measured_by_the_grace(relay):
    task = Noted(3600, misfireGrace=1)
    task.fails = True
    relay.enqueue(task)
    for _ in range(5):
        relay.run_due()
        relay.clock.advance(300)
    (failed,) = task.getOccurrences()
    assert failed.getStatus() == TASK_STATUS_FAILED
    assert len(failed.getAttempts()) == 5


def test_the_expiry_of_the_task_ends_all_of_it(relay, start):
    task = Noted(MINUTE, expiryDate=start + timedelta(seconds=90))
    enqueue_and_miss(relay, task, 100)
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert seconds_of_runs(relay, start) == [0]


# Dates that fall into a run


def test_dates_that_fall_into_a_run_are_dropped(relay, start):
    task = enqueue_and_miss(relay, Noted(10, takes=35), 5)
    assert seconds_of_runs(relay, start) == [35, 40]
    assert task.getStartOn() == start + timedelta(seconds=50)


def test_dates_that_fall_into_a_run_may_be_run_afterwards_one_by_one(relay, start):
    task = enqueue_and_miss(relay, Noted(10, takes=35, overlap="queue"), 5)
    assert seconds_of_runs(relay, start) == [35, 35, 35, 35, 40]
    assert task.getStartOn() == start + timedelta(seconds=50)


def test_queued_dates_are_told_from_missed_ones(relay, start):
    task = Noted(10, takes=35, overlap="queue")
    relay.enqueue(task)
    relay.run_due()
    relay.clock.advance(100)
    relay.run_due()
    assert seconds_of_runs(relay, start) == [35, 35, 35, 35, 135]
    assert task.getStartOn() == start + timedelta(seconds=140)


def test_runs_that_may_overlap_go_on_at_the_same_time(view, database, tmp_path):
    begun = tmp_path / "go.begun"
    task = view.enqueue(WaitEverySecond(str(tmp_path / "go"), overlap="allow"))
    with running(database, workers=2):
        view.until(lambda: begun.exists() and len(begun.read_text().splitlines()) == 2)
        view.client.pauseTask(task)
        view.commit()
        (tmp_path / "go").touch()
        view.until(task.isPaused)
        view.until(lambda: view.counts().keys() == {"waiting", "finished"})
    occurrences = task.getOccurrences()
    assert [found.getId() for found in occurrences] == list(range(len(occurrences)))
    assert occurrences[1].getStartedOn() < occurrences[0].getEndedOn()
    assert view.client.getStatus()["finished"] == len(occurrences)


def test_a_run_of_its_own_is_an_occurrence_of_the_task(relay, start):
    task = Noted(10, overlap="allow")
    relay.enqueue(task)
    ran = relay.run_due()
    assert [type(found) for found in ran] == [Noted, Firing]
    (occurrence,) = task.getOccurrences()
    assert occurrence.getTask() is task
    assert list(relay.client._module.getFinishedIndex()) == [occurrence]
    assert task.getStartOn() == start + timedelta(seconds=10)


def test_a_run_of_its_own_is_tried_again_beside_the_next_one(relay, start):
    task = Noted(10, overlap="allow")
    task.fails = True
    relay.enqueue(task)
    relay.run_due()
    assert task.getStartOn() == start + timedelta(seconds=10)
    assert task.getOccurrences() == []
    for _ in range(5):
        relay.clock.advance(300)
        relay.run_due()
    first = task.getOccurrences()[0]
    assert first.getStatus() == TASK_STATUS_FAILED
    assert len(first.getAttempts()) == 5
    assert first.getId() == 0


def test_limits_and_logger_of_a_run_of_its_own_are_those_of_the_task():
    task = Noted(10, overlap="allow")
    firing = Firing(task, 0, nowutc())
    assert firing.hardLimit is task.hardLimit
    assert firing.retries is task.retries
    assert firing.getLogger() is task.getLogger()


def test_a_unique_task_cannot_have_runs_that_overlap():
    with pytest.raises(ValueError, match="one run at a time"):
        PeriodicUniqueTask(3, overlap="allow")


# Jitter


def test_each_date_is_delayed_at_random_and_the_schedule_stays(relay, start):
    task = Noted(100, jitter=50)
    relay.enqueue(task)
    delays = []
    for number in range(20):
        date = start + timedelta(seconds=100 * number)
        assert task.getStartOn() == date
        delays.append((task.getDueOn() - date).total_seconds())
        relay.clock.now = task.getDueOn()
        assert relay.run_due() == [task]
    assert all(0 <= delay <= 50 for delay in delays)
    assert len(set(delays)) == 20


def test_a_retry_is_not_delayed_further(relay):
    task = Noted(10000, jitter=5000)
    task.fails = True
    relay.enqueue(task)
    relay.clock.now = task.getDueOn()
    relay.run_due()
    assert task.getDueOn() - relay.clock.now <= timedelta(seconds=2)


# What is kept


def test_so_many_ended_runs_are_kept_and_their_numbers_go_on(relay):
    task = enqueue_and_miss(relay, Noted(MINUTE, catchUp="all", keepOccurrences=3), 600)
    assert [found.getId() for found in task.getOccurrences()] == [8, 9, 10]


def test_ended_runs_are_kept_for_so_long(relay):
    task = enqueue_and_miss(relay, Noted(MINUTE, catchUp="all", keepOccurrencesFor=100), 150)
    relay.clock.advance(60)
    relay.run_due()
    assert [found.getId() for found in task.getOccurrences()] == [1, 2, 3]


def test_the_last_ended_run_is_kept_however_old(relay):
    task = enqueue_and_miss(relay, Noted(MINUTE, keepOccurrencesFor=0), 60)
    assert [found.getId() for found in task.getOccurrences()] == [1]


# What makes no policy


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"catchUp": "some"}, "catchUp is 'some'; it must be 'all', 'latest' or 'none'"),
        ({"overlap": None}, "overlap is None; it must be 'skip', 'queue' or 'allow'"),
        ({"misfireGrace": -1}, "misfireGrace is -1; it must be a number of seconds, or None"),
        ({"jitter": "5"}, "jitter is '5'; it must be a number of seconds"),
        ({"keepOccurrences": 0}, "keepOccurrences is 0; it must be at least 1"),
    ],
)
def test_a_policy_there_is_not_is_refused_with_the_remedy(policies, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (compared in full)
        PeriodicTask(3, **policies)
    assert str(raised.value) == message


def test_a_policy_of_an_unknown_name_is_refused():
    with pytest.raises(TypeError, match="'catchup' is no policy; there are catchUp, misfireGrace"):
        IntervalTask(1, catchup="all")


def test_runs_that_overlap_wait_in_the_queue_of_their_task(relay):
    task = Queued(10)
    relay.enqueue(task)
    relay.run_due()
    assert [run.getStatus() for run in task.getOccurrences()] == [TASK_STATUS_FINISHED]
    firing = Firing(task, 1, relay.clock.now)
    assert slot_of(firing) == slot_of(task) == ("beats", 4, "beats")
