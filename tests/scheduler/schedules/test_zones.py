"""Days on which clocks are changed: each job is run once, in every zone there is."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.schedules.schedule import packed, unpacked
from scheduler.tasks import Cron, Rule

SOAK = bool(os.environ.get("SOAK"))
FIRST, LAST = (1970, 2037) if SOAK else (2010, 2012)
# Zones with a whole day skipped, half hours, changes at midnight, four changes in one year.
PECULIAR = [
    "Europe/Zurich",
    "America/New_York",
    "America/Havana",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Pacific/Apia",
    "UTC",
]
ZONES = sorted(available_timezones()) if SOAK else PECULIAR
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@cache
def changes(zone):
    """Return the moments at which clocks are changed in *zone*."""
    found = []
    moment, end = datetime(FIRST, 1, 1, tzinfo=UTC), datetime(LAST, 12, 31, tzinfo=UTC)
    while moment < end:
        low, moment = moment, moment + 7 * DAY
        high = moment
        if offset(zone, low) == offset(zone, high):
            continue
        while high - low > SECOND:
            middle = low + (high - low) // 2
            low, high = (
                (middle, high) if offset(zone, middle) == offset(zone, low) else (low, middle)
            )
        found.append(high.replace(microsecond=0))
    return found


def offset(zone, moment):
    return moment.astimezone(ZoneInfo(zone)).utcoffset()


def local(zone, moment):
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def dates(schedule, since, until):
    """Return the dates of *schedule* as it comes out of the database, from *since* to *until*."""
    schedule = unpacked(packed(schedule))
    found, moment = [], since
    while (moment := schedule.after(moment)) is not None and moment <= until:
        found.append(moment)
    return found


def days_that_exist(zone, since, until):
    """Return the local dates on which it is some time or other between the two moments."""
    steps = int((until - since) / timedelta(minutes=10))
    moments = (since + step * timedelta(minutes=10) for step in range(steps + 1))
    return sorted({local(zone, moment).date() for moment in moments})


def day_jobs(zone, minute, begin):
    hour, minute = divmod(minute, 60)
    start = datetime(begin.year, begin.month, begin.day, hour, minute, tzinfo=ZoneInfo(zone))
    return [
        Rule(rrule.DAILY, dtstart=start),
        Rule(rrule.HOURLY, dtstart=start, interval=24),
        Rule(rrule.MONTHLY, dtstart=start, bymonthday=range(1, 32)),
        Cron(f"{minute} {hour} * * *", zone),
    ]


@pytest.fixture(scope="module", params=ZONES)
def zone(request):
    return request.param


@pytest.mark.soak
def test_a_daily_job_is_run_once_on_each_day_whatever_its_time(zone):
    for number, change in enumerate(changes(zone)):
        since = change - 3 * DAY
        since = (local(zone, since) + DAY).replace(hour=0, minute=0, second=0)
        since = since.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - SECOND
        until = since + 4 * DAY
        expected = days_that_exist(zone, since + SECOND, until - SECOND)[:-1]
        # All times around the change, and some of the rest of the day.
        near = local(zone, change).hour * 60 + local(zone, change).minute
        for minute in {*((near + step) % 1440 for step in (-61, -30, -1, 0, 1, 29, 61)), number}:
            for schedule in day_jobs(zone, minute % 1440, local(zone, since)):
                found = dates(schedule, since, until)
                days = [meant_for(zone, moment, minute % 1440) for moment in found]
                assert [day for day in days if day in expected] == expected, (schedule, change)


def meant_for(zone, moment, minute):
    """Return the day whose job, due at *minute* of it, is run at *moment*."""
    hour, minute = divmod(minute, 60)
    today = local(zone, moment).replace(hour=hour, minute=minute, second=0, microsecond=0)
    times = (today, today - DAY)
    return next(
        time.date()
        for time in times
        if time.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) == moment
    )


@pytest.mark.soak
def test_a_minutely_job_is_run_in_each_minute_there_is(zone):
    for change in changes(zone):
        if not (SOAK or change.year == 2011):
            continue
        since, until = change - timedelta(hours=2), change + timedelta(hours=2)
        start = local(zone, since).replace(second=0).replace(tzinfo=ZoneInfo(zone))
        expected = [
            moment for moment in half_minutes(since, until) if not local(zone, moment).second
        ]
        for schedule in (Rule(rrule.MINUTELY, dtstart=start), Cron("* * * * *", zone)):
            assert dates(schedule, since, until) == expected, (schedule, change)


def test_a_dense_job_that_begins_in_an_hour_that_comes_twice_goes_on_evenly():
    start = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Zurich"))
    rule = Rule(rrule.MINUTELY, interval=10, dtstart=start)
    begin = start.astimezone(UTC)
    found = dates(rule, begin - DAY, begin + timedelta(hours=3))
    assert found == [begin + number * timedelta(minutes=10) for number in range(19)]


@pytest.mark.soak
def test_an_hourly_job_is_run_in_each_hour_there_is(zone):
    for number, change in enumerate(changes(zone)):
        since, until = change - timedelta(hours=30), change + timedelta(hours=30)
        minute = number * 7 % 60
        start = local(zone, since).replace(minute=minute, second=0, tzinfo=ZoneInfo(zone))
        expected = [
            moment
            for moment in half_minutes(since, until)
            if (local(zone, moment).minute, local(zone, moment).second) == (minute, 0)
        ]
        assert dates(Cron(f"{minute} * * * *", zone), since, until) == expected, (zone, change)
        found = dates(Rule(rrule.HOURLY, dtstart=start), since, until)
        change_of = offset(zone, change) - offset(zone, change - SECOND)
        if change_of % timedelta(hours=1):
            assert_even(zone, found, abs(change_of))
        else:
            assert found == expected, (zone, change)


def assert_even(zone, found, change):
    """Assert that clocks changed by part of an hour leave no hour without its date."""
    steps = [later - earlier for earlier, later in pairwise(found)]
    assert all(timedelta() < step <= timedelta(hours=1) + change for step in steps)
    assert len({local(zone, moment) for moment in found}) == len(found)


def half_minutes(since, until):
    step = timedelta(seconds=30)
    first = since + step - (since - datetime(1970, 1, 1, tzinfo=UTC)) % step
    return [first + number * step for number in range((until - first) // step + 1)]


@pytest.mark.parametrize("job", ["rule", "cron"])
def test_jobs_at_several_times_that_do_not_exist_are_moved_past_those_that_do(job):
    schedule = {
        "rule": Rule(
            rrule.DAILY,
            dtstart=datetime(2031, 3, 1, tzinfo=ZoneInfo("Europe/Zurich")),
            byhour=(2, 3),
            byminute=(15, 30),
            bysecond=0,
        ),
        "cron": Cron("15,30 2,3 * * *", "Europe/Zurich"),
    }[job]
    night = datetime(2031, 3, 30, tzinfo=UTC)
    found = dates(schedule, night, night + timedelta(hours=12))
    assert [f"{local('Europe/Zurich', moment):%H:%M}" for moment in found] == ["03:15", "03:30"]


@settings(max_examples=2000 if SOAK else 60)
@given(
    zone=st.sampled_from(ZONES),
    moment=st.datetimes(datetime(FIRST, 1, 1), datetime(LAST, 12, 1)),  # noqa: DTZ001
    expression=st.builds(
        "{} {} * * {}".format,
        st.sampled_from(["*", "*/7", "0", "59", "0,30", "15-45/5"]),
        st.sampled_from(["*", "*/2", "0", "1-3", "2", "23"]),
        st.sampled_from(["*", "sun", "1-5"]),
    ),
)
def test_the_dates_of_a_cron_expression_are_the_same_from_wherever_one_looks(
    zone, moment, expression
):
    schedule, moment = Cron(expression, zone), moment.replace(tzinfo=UTC)
    date = schedule.after(moment)
    assert date > moment
    assert schedule.after(date - timedelta(microseconds=1)) == date
    assert schedule.after(moment + (date - moment) / 2) == date
    assert schedule.after(moment, inclusive=True) in (moment, date)
