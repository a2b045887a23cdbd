"""Sets of schedules: dates of several, dates added and dates excluded."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import DAILY, FR, HOURLY, MO, MONTHLY, WE, WEEKLY, rrule, rruleset
from hypothesis import given
from hypothesis import strategies as st

from scheduler.schedules.rule_text import schedule_from_text
from scheduler.schedules.schedule import packed, unpacked
from scheduler.tasks import Cron, CronTask, Interval, IntervalTask, PeriodicTask, Rule, ScheduleSet

ZURICH = ZoneInfo("Europe/Zurich")
START = datetime(2026, 12, 21, 9, tzinfo=ZURICH)


def at(day, hour=8, month=12, year=2026):
    return datetime(year, month, day, hour, tzinfo=UTC)


def dates(schedule, count=6):
    first = schedule.first()
    return list(islice(schedule.between(first, at(1, year=2036)), count)) if first else []


def test_days_and_moments_are_excluded_and_dates_added():
    schedule = ScheduleSet(
        Rule(DAILY, dtstart=START),
        rdates=[at(24, 12), at(30, 3)],
        exdates=[date(2026, 12, 25), at(26)],
    )
    assert dates(schedule) == [at(21), at(22), at(23), at(24), at(24, 12), at(27)]
    assert schedule.after(at(29)) == at(30, 3)


def test_rules_are_united_and_others_excluded():
    schedule = ScheduleSet(
        Rule(WEEKLY, dtstart=START, byweekday=(MO, FR)),
        Rule(DAILY, dtstart=START, count=3),
        exclude=[Rule(WEEKLY, dtstart=START, byweekday=FR)],
    )
    found = dates(schedule, 4)
    assert found == [at(21), at(22), at(23), at(28)]


def test_an_excluded_day_is_passed_at_once_however_dense_the_dates_are():
    schedule = ScheduleSet(Interval(0.01, at(24, 22)), exdates=[date(2026, 12, 25)])
    assert schedule.after(at(25, 5)) == at(26, 0)


def test_the_days_are_those_of_the_schedules_zone():
    rule = Rule(HOURLY, dtstart=datetime(2026, 12, 24, 22, tzinfo=ZURICH))
    schedule = ScheduleSet(rule, exdates=[date(2026, 12, 25)])
    assert dates(schedule, 3) == [at(24, 21), at(24, 22), at(25, 23)]


def test_a_set_whose_dates_are_all_excluded_has_none():
    daily = Interval(86400, at(21))
    assert ScheduleSet(daily, exclude=[daily]).first() is None
    assert ScheduleSet(rdates=[at(24)], exdates=[at(24)]).after(at(1)) is None


def test_dates_added_long_ago_do_not_begin_a_schedule_from_now_on():
    schedule = ScheduleSet(Cron("0 3 * * *"), rdates=[datetime(2001, 1, 1, tzinfo=UTC)])
    assert schedule.first() == Cron("0 3 * * *").first()


def test_a_set_is_stored_as_plain_values():
    schedule = ScheduleSet(
        Rule(DAILY, dtstart=START),
        Cron("0 3 * * *", "Europe/Zurich"),
        rdates=[at(24, 12)],
        exdates=[date(2026, 12, 25), at(26)],
        exclude=[Interval(7 * 86400, at(21))],
    )
    again = unpacked(packed(schedule))
    assert again == schedule
    assert dates(again) == dates(schedule)
    assert "also 1 date, without 2 dates, without every 604800 s" in repr(again)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: ScheduleSet(), ValueError),
        (lambda: ScheduleSet("daily"), TypeError),
        (lambda: ScheduleSet(rdates=[datetime(2026, 1, 1)]), ValueError),  # noqa: DTZ001
        (lambda: ScheduleSet(rdates=[at(1)], exdates=["2026-12-25"]), TypeError),
        (lambda: schedule_from_text("SUMMARY:nothing"), ValueError),
        (lambda: schedule_from_text("RRULE:FREQ=DAILY\nEXDATE:tomorrow"), ValueError),
    ],
)
def test_schedules_that_make_no_set_are_refused(make, error):
    with pytest.raises(error):
        make()


CALENDAR = """
DTSTART;TZID=Europe/Zurich:20261221T090000
RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR
RRULE:FREQ=MONTHLY;BYMONTHDAY=24
EXRULE:FREQ=MONTHLY;BYDAY=1MO
RDATE;TZID=Europe/Zurich:20261224T180000,20261226T100000
EXDATE;TZID=Europe/Zurich:20261225T090000
"""


def test_the_lines_of_a_calendar_give_the_dates_that_dateutil_gives():
    ours = schedule_from_text(CALENDAR)
    theirs = rruleset()
    theirs.rrule(rrule(WEEKLY, dtstart=START, byweekday=(MO, WE, FR)))
    theirs.rrule(rrule(MONTHLY, dtstart=START, bymonthday=24))
    theirs.exrule(rrule(MONTHLY, dtstart=START, byweekday=MO(1)))
    theirs.rdate(datetime(2026, 12, 24, 18, tzinfo=ZURICH))
    theirs.rdate(datetime(2026, 12, 26, 10, tzinfo=ZURICH))
    theirs.exdate(datetime(2026, 12, 25, 9, tzinfo=ZURICH))
    end = datetime(2027, 6, 1, tzinfo=UTC)
    expected = [each.astimezone(UTC) for each in takewhile(lambda each: each < end, theirs)]
    assert list(ours.between(ours.first(), end)) == expected


def test_whole_days_of_a_calendar_are_excluded():
    text = "DTSTART:20261223T080000Z\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20261224"
    assert dates(schedule_from_text(text), 2) == [at(23), at(25)]


@given(
    excluded=st.sets(st.integers(0, 40), max_size=20),
    added=st.sets(st.integers(0, 900), max_size=10),
)
def test_a_set_is_what_sets_of_dates_are(excluded, added):
    plain = [START.astimezone(UTC) + timedelta(days=each) for each in range(41)]
    more = {at(22, 9) + timedelta(hours=each) for each in added}
    without = {plain[each] for each in excluded}
    schedule = ScheduleSet(
        Rule(DAILY, dtstart=START, count=41), rdates=more, exdates=sorted(without)
    )
    found = list(schedule.between(at(1), at(1, month=3, year=2027)))
    expected = {*plain, *more} - without
    assert found == sorted(each for each in expected if each <= at(1, month=3, year=2027))


@pytest.mark.parametrize(
    "make",
    [
        lambda **dates: PeriodicTask(DAILY, dtstart=START, **dates),
        lambda **dates: IntervalTask(86400, START, **dates),
        lambda **dates: CronTask("0 9 * * *", "Europe/Zurich", **dates),
    ],
)
def test_each_kind_of_recurring_task_takes_dates(make):
    task = make(rdates=[at(24, 12)], exdates=[date(2026, 12, 24)])
    schedule = task.getSchedule()
    assert schedule.after(at(23, 9)) == at(25)
    assert make().getSchedule().after(at(23, 9)) == at(24)
