"""Tasks by themselves: order, dates, and rules (reference 3.4).

Covers `scheduler.tasks.event`, `scheduler.tasks.occurrence`, `scheduler.tasks.oneshot`,
`scheduler.tasks.recurring`, `scheduler.tasks.samples`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from scheduler import TASK_STATUS_NONE, nowutc
from scheduler.tasks import (
    BaseTask,
    OneShotTask,
    PeriodicTask,
    SampleOneShotTask,
    SamplePeriodicTask,
    TaskOccurrence,
)
from scheduler.tasks.recurring import Occurrences
from tests.scheduler.sample_recurring import Tick
from tests.scheduler.sample_tasks import Noop

LOCAL = ZoneInfo("Europe/Zurich")


@pytest.fixture
def stored(view):
    """Three tasks that are enqueued, in order."""
    tasks = [Noop(nowutc()) for _ in range(3)]
    view.enqueue(*tasks)
    return tasks


def occurrence(task, number):
    found = TaskOccurrence(task)
    found.setId(number)
    return found


# Identity and order


def test_a_fresh_task_has_no_id_and_no_state():
    task = Noop(nowutc())
    assert task.getId() is None
    assert task.getStatus() == TASK_STATUS_NONE
    assert repr(task) == "[Noop:None|NN]"


def test_an_enqueued_task_has_an_id_and_is_spooled(stored):
    assert isinstance(stored[0].getId(), int)
    assert repr(stored[0]) == f"[Noop:{stored[0].getId()}|SP]"


def test_tasks_are_ordered_by_id(stored):
    first, second, third = stored
    assert sorted([third, first, second]) == stored
    assert [task.getId() for task in stored] == sorted(task.getId() for task in stored)


def test_an_occurrence_stands_behind_its_task_and_before_the_next_one(stored):
    first, second, _ = stored
    occurrences = [occurrence(first, number) for number in range(3)]
    assert sorted([second, *reversed(occurrences), first]) == [first, *occurrences, second]


def test_an_occurrence_equals_itself_alone(stored):
    one = occurrence(stored[0], 1)
    assert one == one
    assert one != occurrence(stored[1], 1)
    assert one != stored[0]


def test_none_stands_before_every_task(stored):
    assert stored[0] > None
    assert not stored[0] < None


def test_tasks_cannot_be_compared_with_other_things(stored):
    with pytest.raises(TypeError):
        assert stored[0] < 7


# Dates


@pytest.mark.parametrize("build", [OneShotTask, lambda dt: OneShotTask(nowutc(), dt), BaseTask])
def test_a_date_without_zone_is_refused_with_the_remedy(build):
    with pytest.raises(ValueError, match=r"time zone: use nowutc\(\)"):
        build(datetime(2030, 1, 1))  # noqa: DTZ001


def test_dates_are_given_back_in_utc():
    task = OneShotTask(datetime(2030, 7, 1, 12, tzinfo=LOCAL))
    assert task.getStartOn() == datetime(2030, 7, 1, 10, tzinfo=UTC)
    assert task.getStartOn().tzinfo is UTC


def test_a_start_date_can_be_set():
    task = OneShotTask(nowutc())
    task.setStartOn(datetime(2031, 1, 1, tzinfo=UTC))
    assert task.getStartOn() == datetime(2031, 1, 1, tzinfo=UTC)


def test_start_runs_a_task_here_and_now(clock):
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + timedelta(seconds=seconds))
    task = SampleOneShotTask(nowutc())
    task.start(0)
    assert task.getEndedOn() - task.getStartedOn() == timedelta(seconds=1)
    task.reset()
    assert task.getStartedOn() is task.getEndedOn() is None


def test_the_loggers_name_is_that_of_the_class():
    assert Noop(nowutc()).getLogger().name == "task.Noop"


def test_a_task_without_run_says_so():
    with pytest.raises(NotImplementedError, match="BaseTask does not override run"):
        BaseTask().run()


# Rules


def test_the_first_date_is_the_rules_start(clock):
    start = clock.now.replace(microsecond=0) + timedelta(days=1)
    assert PeriodicTask(rrule.MINUTELY, dtstart=start).getStartOn() == start


@pytest.mark.parametrize(
    ("frequency", "step"),
    [(rrule.MINUTELY, timedelta(minutes=1)), (rrule.HOURLY, timedelta(hours=1))],
)
def test_the_next_date_is_one_step_later(clock, frequency, step):
    start = clock.now.replace(microsecond=0)
    task = PeriodicTask(frequency, dtstart=start)
    assert task.setNextOccurrence() == task.getStartOn() == start + step


def test_without_a_start_the_rule_begins_now(clock):
    assert PeriodicTask(rrule.DAILY).getStartOn() == clock.now.replace(microsecond=0)


def test_a_start_in_the_past_is_kept_and_then_missed_dates_are_skipped(clock):
    start = clock.now.replace(microsecond=0) - timedelta(days=3, hours=1)
    task = PeriodicTask(rrule.DAILY, dtstart=start)
    assert task.getStartOn() == start
    assert task.setNextOccurrence() == start + timedelta(days=4)


def test_the_next_date_is_behind_the_given_one(clock):
    start = clock.now.replace(microsecond=0)
    task = PeriodicTask(rrule.DAILY, dtstart=start)
    assert task.setNextOccurrence(start + timedelta(days=10)) == start + timedelta(days=11)


def test_an_exhausted_rule_has_no_next_date_ever_again(clock):
    task = PeriodicTask(rrule.YEARLY, until=clock.now + timedelta(days=30))
    assert task.getStartOn() is not None
    assert task.setNextOccurrence() is None
    assert task.setNextOccurrence() is None
    assert task.getStartOn() is None


def test_a_count_ends_a_rule(clock):
    task = PeriodicTask(rrule.HOURLY, count=2)
    assert task.setNextOccurrence() is not None
    assert task.setNextOccurrence() is None


def test_a_rule_of_chosen_weekdays_keeps_to_them(clock):
    task = PeriodicTask(rrule.MONTHLY, byweekday=rrule.FR(-1), byhour=6, byminute=0, bysecond=0)
    for _ in range(5):
        date = task.getStartOn()
        assert date.weekday() == 4
        assert (date + timedelta(days=7)).month != date.month
        task.setNextOccurrence()


def test_arguments_that_make_no_rule_are_refused_at_once():
    with pytest.raises(TypeError):
        PeriodicTask(rrule.DAILY, by_moonlight=1)


def test_a_rule_four_years_old_is_no_slower(clock):
    task = PeriodicTask(rrule.MINUTELY, dtstart=clock.now - timedelta(days=1500))
    assert timedelta() < task.setNextOccurrence() - clock.now <= timedelta(minutes=1)


def test_a_local_time_that_does_not_exist_is_moved_behind_the_gap(clock):
    clock.now = datetime(2031, 3, 29, tzinfo=UTC)
    task = PeriodicTask(rrule.DAILY, dtstart=datetime(2031, 3, 29, 2, 30, tzinfo=LOCAL))
    dates = [task.getStartOn(), task.setNextOccurrence(), task.setNextOccurrence()]
    assert [date.astimezone(LOCAL).strftime("%d %H:%M") for date in dates] == [
        "29 02:30",
        "30 03:30",
        "31 02:30",
    ]


def test_a_local_time_that_exists_twice_is_taken_once_the_first_time(clock):
    clock.now = datetime(2031, 10, 25, tzinfo=UTC)
    task = PeriodicTask(rrule.DAILY, dtstart=datetime(2031, 10, 25, 2, 30, tzinfo=LOCAL))
    dates = [task.getStartOn(), task.setNextOccurrence(), task.setNextOccurrence()]
    assert dates == [
        datetime(2031, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2031, 10, 26, 0, 30, tzinfo=UTC),
        datetime(2031, 10, 27, 1, 30, tzinfo=UTC),
    ]


@given(
    start=st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    frequency=st.sampled_from([rrule.DAILY, rrule.HOURLY, rrule.WEEKLY]),
    days=st.integers(0, 800),
)
def test_dates_go_forward_and_are_the_same_from_wherever_one_looks(start, zone, frequency, days):
    task = PeriodicTask(frequency, dtstart=start.replace(tzinfo=ZoneInfo(zone)))
    rule = task.getSchedule()
    moment = task.getStartOn() + timedelta(days=days)
    date = rule.after(moment)
    assert date > moment
    assert date - moment <= timedelta(days=7, hours=2)
    assert rule.after(date - timedelta(microseconds=1)) == date
    assert rule.after(date) > date


def test_a_periodic_task_numbers_its_occurrences():
    task = Tick(rrule.DAILY)
    for _ in range(3):
        task.addOccurrence(TaskOccurrence(task))
    assert [found.getId() for found in task.getOccurrences()] == [0, 1, 2]
    assert task.getOccurrences()[2].getTask() is task


@given(runs=st.integers(0, 40), kept=st.integers(1, 30))
def test_the_last_occurrences_are_kept_in_order_and_older_ones_are_not_stored(runs, kept):
    task = Tick(rrule.DAILY, keepOccurrences=kept)
    for _ in range(runs):
        task.addOccurrence(TaskOccurrence(task))
    numbers = list(range(runs))[-kept:]
    assert [found.getId() for found in task.getOccurrences()] == numbers
    assert len(task._occurrences or ()) <= kept


def test_occurrences_that_all_stand_in_a_tree_as_earlier_releases_stored_them_go_on():
    task = Tick(rrule.DAILY)
    task._occurrences = Occurrences()
    for number in range(3):
        occurrence = task._occurrences[number] = TaskOccurrence(task)
        occurrence.setId(number)
    task._count = 3
    assert task._ended_element() is occurrence
    task.addOccurrence(TaskOccurrence(task))
    assert [found.getId() for found in task.getOccurrences()] == [0, 1, 2, 3]


def test_a_periodic_task_that_should_not_come_back_says_so():
    task = SamplePeriodicTask(rrule.DAILY)
    assert task.shouldComeBack()
    task.dontComeBack()
    assert not task.shouldComeBack()
