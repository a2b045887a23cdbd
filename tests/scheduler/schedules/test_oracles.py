"""Schedules beside those of others: cron expressions by cronsim, rules by dateutil."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from dateutil import rrule
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.schedules.schedule import packed, unpacked
from scheduler.tasks import Cron, Rule

SOAK = bool(os.environ.get("SOAK"))
FIRST, LAST = datetime(2006, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
FEW_ZONES = ["Europe/Zurich", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"]
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (local time)
# The kinds of jobs as Debian's cron tells them apart: by a star in minutes or hours.
DENSE = [
    "*/5 * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "15 * * * *",
    "45 * * * *",
    "5,35 * * * *",
    "*/10 1-5 * * *",
    "*/10 0-1 * * *",
    "*/15 2 * * *",
    "*/20 3 * * *",
    "*/30 0,1,2,3 * * *",
    "*/10 0-6 * * sun",
    "*/10 23 * * *",
    "*/20 0-3 1-7 * *",
    "0 */2 * * *",
    "30 */3 * * *",
    "30 */1 * * mon-fri",
    "0 */10 * * * *",
    "0 */15 2 * * *",
]
FIXED = [
    "30 2 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "0 1 * * *",
    "0 2 * * *",
    "0 3 * * *",
    "59 1 * * *",
    "59 23 * * *",
    "15,45 1-4 * * *",
    "0 2,3 * * *",
    "10-50/20 0-3 * * *",
    "30 2 * * sun",
    "30 2 1-31/2 * *",
    "15 2 L * *",
    "0 12 * * sun#2",
]


@cache
def changes():
    """Return the changes of clocks by what they are, each once: a zone, the moment, by how much."""
    found = {}
    for name in sorted(available_timezones()) if SOAK else FEW_ZONES:
        zone, moment = ZoneInfo(name), FIRST
        while moment < LAST:
            low, moment = moment, moment + 7 * DAY
            high = moment
            if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
                continue
            before = low.astimezone(zone).utcoffset()
            while high - low > SECOND:
                middle = low + (high - low) // 2
                is_before = middle.astimezone(zone).utcoffset() == before
                low, high = (middle, high) if is_before else (low, middle)
            at = high.replace(microsecond=0)
            by = at.astimezone(zone).utcoffset() - before
            found.setdefault((at, before, by), (name, at, by))
    every = list(found.values())
    return every if SOAK else every[::3]


def dates(schedule, since, until, most=None):
    """Return the dates of the *schedule* between the two moments, so many at the *most*."""
    assert schedule == unpacked(packed(schedule))
    found, moment = [], since
    while (moment := schedule.after(moment)) is not None and moment <= until:
        found.append(moment)
        if len(found) == most:
            break
    return found


def simulated(expression, zone, since, until):
    """Return what cronsim has between the two moments, each once."""
    found = set()
    for date in CronSim(expression, since.astimezone(zone)):
        moment = date.astimezone(UTC)
        if moment > until:
            return found
        found.add(moment)
    return found


def matched(expression, zone, since, until):
    """Return the minutes between the two moments whose local time the expression says."""
    fields = CronSim(expression, EPOCH)
    moments = [since + number * MINUTE for number in range(1, (until - since) // MINUTE + 1)]
    return {
        moment
        for moment in moments
        for local in [moment.astimezone(zone)]
        if local.minute in fields.minutes
        and local.hour in fields.hours
        and local.month in fields.months
        and fields.match_day(local.date())
    }


def labelled(expression, zone, since, until):
    """Return the moments of the expression's local times, each once, as RFC 5545 has them."""
    found = set()
    for label in CronSim(expression, since.replace(tzinfo=None) - 2 * DAY):
        if label > until.replace(tzinfo=None) + 2 * DAY:
            return {moment for moment in found if since < moment <= until}
        found.add(label.replace(tzinfo=zone).astimezone(UTC))
    return found


@pytest.mark.soak
@pytest.mark.parametrize("expression", DENSE)
def test_a_job_with_a_star_is_run_at_each_local_time_there_is_as_in_debian(expression):
    for name, at, by in changes():
        zone = ZoneInfo(name)
        since, until = at - abs(by) - 3 * HOUR, at + abs(by) + 3 * HOUR
        found = set(dates(Cron(expression, name), since, until))
        assert found == matched(expression, zone, since, until), (name, at)
        # Where not whole hours are changed, or at another local minute, cronsim loses minutes.
        if not by % HOUR and not at.astimezone(zone).minute:
            assert found == simulated(expression, zone, since, until), (name, at)


@pytest.mark.soak
@pytest.mark.parametrize("expression", FIXED)
def test_a_job_at_a_time_is_run_once_as_in_debian_and_after_a_gap_as_late_as_in_it(expression):
    for name, at, by in changes():
        zone = ZoneInfo(name)
        since, until = at - abs(by) - 26 * HOUR, at + abs(by) + 26 * HOUR
        found = set(dates(Cron(expression, name), since, until))
        assert found == labelled(expression, zone, since, until), (name, at)
        # Debian runs what fell into the gap at its end.
        moved = {moment for moment in found if at <= moment < at + by}
        expected = simulated(expression, zone, since, until)
        assert found - moved == {one for one in expected if not at <= one < at + by}, (name, at)


@pytest.mark.soak
@pytest.mark.parametrize(
    "arguments",
    [
        {"freq": rrule.MINUTELY, "interval": 10, "byhour": (0, 1, 2, 3, 4)},
        {"freq": rrule.MINUTELY, "interval": 10, "byhour": (2,)},
        {"freq": rrule.MINUTELY, "byminute": (0, 20, 40), "byhour": (0, 1, 2, 3)},
        {"freq": rrule.HOURLY, "byminute": (0, 30), "byhour": (0, 1, 2, 3)},
        {"freq": rrule.SECONDLY, "interval": 120, "byhour": (1, 2, 3)},
        {"freq": rrule.MINUTELY, "interval": 15},
    ],
    ids=repr,
)
def test_a_dense_rule_that_is_limited_to_hours_has_each_local_time_as_often_as_it_exists(arguments):
    for name, at, by in changes():
        if abs(by) < HOUR:
            continue
        place = ZoneInfo(name)
        since, until = at - abs(by) - 3 * HOUR, at + abs(by) + 3 * HOUR
        start = (at - 30 * DAY).astimezone(place).replace(minute=0, second=0, microsecond=0)
        labels = rrule.rrule(dtstart=start.replace(tzinfo=None), **arguments)
        first, last = (moment.astimezone(place).replace(tzinfo=None) for moment in (since, until))
        expected = {
            moment
            for label in labels.between(first - abs(by) - HOUR, last + abs(by) + HOUR, inc=True)
            for fold in (0, 1)
            for moment in [label.replace(tzinfo=place, fold=fold).astimezone(UTC)]
            if moment.astimezone(place).replace(tzinfo=None) == label and since < moment <= until
        }
        others = {name: value for name, value in arguments.items() if name != "freq"}
        rule = Rule(arguments["freq"], dtstart=start, **others)
        assert dates(rule, since, until) == sorted(expected), (name, at)


def some(values):
    return st.lists(values, min_size=1, max_size=4, unique=True)


TIMES = {
    "byhour": some(st.integers(0, 23)),
    "byminute": some(st.integers(0, 59)),
    "bysecond": some(st.integers(0, 59)),
}
ENDS = {"wkst": st.integers(0, 6), "count": st.integers(1, 40)}
DAYS = {
    "bymonth": some(st.integers(1, 12)),
    "bymonthday": some(st.sampled_from([-1, 1, 2, 15, 28])),
    "byweekday": some(st.integers(0, 6)),
    "bysetpos": some(st.sampled_from([-2, -1, 1, 2])),
}
# Rules whose dates are never more than a few years apart: dateutil walks there step by step.
ARGUMENTS = st.one_of(
    st.fixed_dictionaries(
        {"freq": st.integers(rrule.YEARLY, rrule.DAILY), "interval": st.integers(1, 3)},
        optional=DAYS | TIMES | ENDS,
    ),
    st.fixed_dictionaries(
        {"freq": st.integers(rrule.HOURLY, rrule.SECONDLY)},
        optional={"byweekday": some(st.integers(0, 6))} | TIMES | ENDS,
    ),
    st.fixed_dictionaries(
        {"freq": st.integers(rrule.HOURLY, rrule.SECONDLY), "interval": st.integers(1, 5000)},
        optional=ENDS,
    ),
)


# How many days behind the start a rule is asked: dateutil walks there date by date.
FARTHEST = {} if SOAK else {rrule.SECONDLY: 1, rrule.MINUTELY: 30}
MOST = 25


@settings(max_examples=5000 if SOAK else 60)
@given(ARGUMENTS, st.datetimes(datetime(2019, 1, 1), datetime(2026, 1, 1)), st.integers(0, 400))  # noqa: DTZ001
def test_a_rule_has_the_dates_of_dateutil(arguments, start, days):
    start = start.replace(microsecond=0)
    by_position = "bysetpos" in arguments
    assume(not by_position or arguments.keys() & {"byweekday", "bymonthday", "byhour"})
    assume(not (arguments["freq"] == rrule.WEEKLY and by_position))
    try:
        oracle = rrule.rrule(dtstart=start, **arguments)
        rule = Rule(arguments.pop("freq"), dtstart=start.replace(tzinfo=UTC), **arguments)
    except ValueError:
        assume(False)
    moment = start + timedelta(days=min(days, FARTHEST.get(rule.frequency, days)))
    ends = moment + timedelta(hours=30 if rule.frequency > rrule.DAILY else 2000)
    expected = []
    for date in oracle.xafter(moment):
        if date > ends or len(expected) == MOST:
            break
        expected.append(date.replace(tzinfo=UTC))
    since, until = moment.replace(tzinfo=UTC), ends.replace(tzinfo=UTC)
    assert not expected or dates(rule, since, until, MOST) == expected
