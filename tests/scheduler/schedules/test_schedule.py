"""Schedules by themselves: rules, cron expressions, fixed intervals.

Covers `scheduler.schedules.cron`, `scheduler.schedules.interval`, `scheduler.schedules.rule`.
"""

from __future__ import annotations

import pickle
import time
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule, tz
from hypothesis import assume, given
from hypothesis import strategies as st
from ZODB.serialize import ObjectWriter

from scheduler.schedules.schedule import packed, unpacked
from scheduler.tasks import Cron, CronTask, Interval, IntervalTask, PeriodicTask, Rule

ZURICH = ZoneInfo("Europe/Zurich")
START = datetime(2031, 5, 5, 12, tzinfo=UTC)

SCHEDULES = [
    Rule(rrule.DAILY, dtstart=datetime(2031, 1, 1, 3, tzinfo=ZURICH)),
    Rule(rrule.YEARLY, dtstart=START, byeaster=0, until=START + timedelta(days=9000)),
    Rule(rrule.MONTHLY, dtstart=START, byweekday=(rrule.MO(2), rrule.FR(-1)), wkst=rrule.SU),
    Rule(rrule.WEEKLY, dtstart=START, interval=2, wkst=rrule.SU, byweekday=rrule.SU, count=7),
    Rule(rrule.HOURLY, dtstart=START, count=30),
    Cron("*/20 8-18 * * mon-fri", "Europe/Zurich"),
    Interval(0.25, START),
]


def dates(schedule, count, moment=START):
    found = []
    for _ in range(count):
        moment = schedule.after(moment)
        found.append(moment)
    return found


# Rules


@pytest.mark.parametrize(
    ("frequency", "arguments"),
    [
        (rrule.YEARLY, {"byeaster": -2}),
        (rrule.YEARLY, {"byweekno": (1, 20, 53), "byweekday": (rrule.MO,)}),
        (rrule.YEARLY, {"byyearday": (-1, 100)}),
        (rrule.MONTHLY, {"byweekday": range(5), "bysetpos": -1}),
        (rrule.MONTHLY, {"byweekday": rrule.TU(2), "interval": 3}),
        (rrule.WEEKLY, {"interval": 2, "wkst": rrule.SU, "byweekday": (rrule.SU, rrule.WE)}),
        (rrule.WEEKLY, {"interval": 2, "wkst": rrule.MO, "byweekday": (rrule.SU, rrule.WE)}),
        (rrule.DAILY, {"byhour": (6, 18), "bymonth": (2, 5)}),
        (rrule.HOURLY, {"interval": 5, "byweekday": (0, 6)}),
        (rrule.MINUTELY, {"interval": 7, "byhour": (0, 13)}),
        (rrule.SECONDLY, {"interval": 90, "byminute": (0, 30)}),
    ],
)
def test_a_rule_has_the_dates_that_dateutil_gives_it(frequency, arguments):
    local = START.replace(tzinfo=None)
    expected = rrule.rrule(frequency, dtstart=local, **arguments)
    rule = Rule(frequency, dtstart=START, **arguments)
    assert [found.replace(tzinfo=None) for found in dates(rule, 60)] == [
        found for found, _ in zip(expected.xafter(local), range(60), strict=False)
    ]


@pytest.mark.parametrize("arguments", [{}, {"byminute": 0}])
@pytest.mark.parametrize("count", [0, 1, 25])
def test_a_rule_with_a_count_has_so_many_dates(arguments, count):
    rule = Rule(rrule.HOURLY, dtstart=START, count=count, **arguments)
    found, moment = [], rule.first()
    while moment is not None:
        found.append(moment)
        moment = rule.after(moment)
    assert found == [START + timedelta(hours=hour) for hour in range(count)]


def test_until_is_a_moment_whatever_its_zone():
    until = datetime(2031, 5, 8, 14, tzinfo=ZURICH)
    rule = Rule(rrule.DAILY, dtstart=START, until=until)
    assert dates(rule, 4)[-2:] == [until, None]


def test_until_without_zone_is_local_time():
    rule = Rule(
        rrule.DAILY,
        dtstart=datetime(2031, 5, 5, 12, tzinfo=ZURICH),
        until=datetime(2031, 5, 7, 12),  # noqa: DTZ001
    )
    assert dates(rule, 3) == [START + timedelta(hours=22), START + timedelta(hours=46), None]


@pytest.mark.parametrize("zone", [ZURICH, tz.gettz("Europe/Zurich")], ids=["zoneinfo", "dateutil"])
def test_a_rule_keeps_the_zone_of_its_start(zone):
    rule = Rule(rrule.DAILY, dtstart=datetime(2031, 3, 1, 8, tzinfo=zone))
    summer = rule.after(datetime(2031, 7, 1, tzinfo=UTC))
    assert rule.zone == "Europe/Zurich"
    assert summer == datetime(2031, 7, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone",
    [
        timezone(timedelta(hours=2)),
        timezone(timedelta(hours=2), "summer"),
        tz.tzoffset(None, 7200),
        tz.tzstr("UTC-2", posix_offset=True),
    ],
    ids=repr,
)
def test_a_start_at_a_fixed_offset_stays_at_that_offset(zone):
    rule = Rule(rrule.WEEKLY, byweekday=rrule.TH, dtstart=datetime(2022, 4, 14, 1, 30, tzinfo=zone))
    assert rule.zone == "+02:00"
    assert rule.first() == datetime(2022, 4, 13, 23, 30, tzinfo=UTC)
    assert {found.astimezone(zone).weekday() for found in dates(rule, 60)} == {3}


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(0)), tz.UTC, tz.tzutc()], ids=repr)
def test_a_start_without_an_offset_is_in_utc(zone):
    assert Rule(rrule.DAILY, dtstart=datetime(2031, 3, 1, 8, tzinfo=zone)).zone == "UTC"


def test_a_monthly_rule_from_a_fixed_offset_has_each_month():
    start = datetime.fromisoformat("2026-06-01T00:30+02:00")
    rule = Rule(rrule.MONTHLY, dtstart=start)
    found = [moment.astimezone(start.tzinfo) for moment in dates(rule, 12, start)]
    assert {moment.day for moment in found} == {1}
    assert [moment.month for moment in found] == [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("text", ["-03:30", "+05:45", "+14:00", "-12:00", "+00:19:32"])
def test_an_offset_of_any_size_is_stored_by_its_text(text):
    start = datetime.fromisoformat(f"2031-03-01T00:15{text}")
    rule = unpacked(pickle.loads(pickle.dumps(packed(Rule(rrule.DAILY, dtstart=start)))))  # noqa: S301
    assert rule.zone == text
    assert dates(rule, 2, start) == [start + timedelta(days=1), start + timedelta(days=2)]


def test_a_cron_expression_may_be_local_time_at_an_offset():
    found = Cron("0 8 * * *", zone="+02:00").after(datetime(2031, 1, 1, tzinfo=UTC))
    assert found == datetime(2031, 1, 1, 6, tzinfo=UTC)


# dateutil counts the first week of such a rule from the day of its start.


def test_positions_are_counted_in_whole_weeks_also_in_the_first():
    rule = Rule(
        rrule.WEEKLY,
        dtstart=datetime(2024, 11, 10, tzinfo=UTC),
        wkst=rrule.WE,
        bysetpos=1,
        byweekday=(rrule.MO, rrule.TU, rrule.WE),
    )
    assert rule.first() == datetime(2024, 11, 13, tzinfo=UTC)


def dates_by_position(start, interval, first_day, weekdays, hours, positions):
    """Yield the dates of a weekly rule with `bysetpos`, as RFC 5545 has them."""
    week = start - timedelta(days=(start.weekday() - first_day) % 7)
    while True:
        days = [week + timedelta(days=day) for day in range(7)]
        found = [
            day.replace(hour=hour) for day in days if day.weekday() in weekdays for hour in hours
        ]
        chosen = {found[n - (n > 0)] for n in positions if abs(n) <= len(found)}
        yield from (moment for moment in sorted(chosen) if moment >= start)
        week += timedelta(weeks=interval)


@given(
    start=st.datetimes(datetime(2019, 12, 1), datetime(2025, 1, 9)),  # noqa: DTZ001
    interval=st.integers(1, 3),
    first_day=st.integers(0, 6),
    weekdays=st.lists(st.integers(0, 6), unique=True, min_size=1),
    hours=st.lists(st.integers(0, 23), unique=True, min_size=1, max_size=3).map(sorted),
    positions=st.lists(
        st.sampled_from([-7, -3, -2, -1, 1, 2, 3, 7]), min_size=1, max_size=3, unique=True
    ),
    count=st.none() | st.integers(1, 9),
)
def test_weekly_positions_are_those_of_rfc_5545(
    start, interval, first_day, weekdays, hours, positions, count
):
    assume(min(map(abs, positions)) <= len(weekdays) * len(hours))
    start = start.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    rule = Rule(
        rrule.WEEKLY,
        dtstart=start,
        interval=interval,
        wkst=first_day,
        byweekday=weekdays,
        byhour=hours,
        bysetpos=positions,
        count=count,
    )
    found, moment = [], rule.first()
    while moment is not None and len(found) < 12:
        found.append(moment)
        moment = rule.after(moment)
    expected = dates_by_position(start, interval, first_day, weekdays, hours, positions)
    assert found == list(islice(expected, min(12, count or 12)))


def test_positions_without_days_are_those_of_the_starts_weekday():
    start = datetime(2031, 5, 8, 12, tzinfo=UTC)
    rule = Rule(rrule.WEEKLY, dtstart=start, byhour=(6, 12), bysetpos=-1, wkst=rrule.SU)
    assert [rule.first(), *dates(rule, 1, start)] == [start, start + timedelta(days=7)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"frequency": 9}, ValueError),
        ({"interval": 0}, ValueError),
        ({"interval": 0.5}, ValueError),
        ({"dtstart": "now"}, TypeError),
        ({"dtstart": datetime(2031, 1, 1, tzinfo=tz.tzlocal())}, ValueError),
        ({"until": date(2031, 1, 1)}, TypeError),
        ({"bysetpos": 999, "byhour": 1}, ValueError),
        ({"by_moonlight": 1}, TypeError),
    ],
    ids=repr,
)
def test_arguments_that_make_no_rule_are_refused_at_construction(arguments, error):
    with pytest.raises(error):
        PeriodicTask(**{"frequency": rrule.DAILY, **arguments})


# Cron expressions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 3 * * *", ["2031-05-06 03:30", "2031-05-07 03:30"]),
        ("0 0 1 jan,jul *", ["2031-07-01 00:00", "2032-01-01 00:00"]),
        ("0 9 * * mon#2", ["2031-05-12 09:00", "2031-06-09 09:00"]),
        ("0 9 L * *", ["2031-05-31 09:00", "2031-06-30 09:00"]),
        ("0 0 13 * fri", ["2031-05-09 00:00", "2031-05-13 00:00"]),
        ("30 0 12 * * *", ["2031-05-05 12:00", "2031-05-06 12:00"]),
    ],
)
def test_a_cron_expression_says_what_it_says_in_a_crontab(expression, expected):
    found = dates(Cron(expression), 2)
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in found] == expected


def test_a_cron_expression_is_local_time_of_its_zone():
    winter = Cron("0 8 * * *", zone="Europe/Zurich").after(datetime(2031, 1, 1, tzinfo=UTC))
    assert winter == datetime(2031, 1, 1, 7, tzinfo=UTC)


def test_a_cron_task_starts_at_the_first_date_to_come(clock):
    clock.now = START
    assert CronTask("*/5 * * * *").getStartOn() == START
    assert CronTask("1 * * * *").getStartOn() == START + timedelta(minutes=1)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* * 30 2 *",
        "a b c d e",
        "@daily",
        "*/0 * * * *",
    ],
)
def test_a_bad_cron_expression_is_refused_by_name(expression):
    with pytest.raises(ValueError, match="is no cron expression") as raised:
        CronTask(expression)
    assert repr(expression) in str(raised.value)


@given(st.text(st.sampled_from("0123456789*/-,#LW monfri?²"), max_size=30) | st.text(max_size=20))
def test_every_bad_cron_expression_raises_a_value_error(expression):
    try:
        schedule = Cron(expression)
    except ValueError:
        return
    found = schedule.after(START)
    assert found is None or found > START


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", None, 7])
def test_an_unknown_zone_is_refused_by_name(zone):
    with pytest.raises(ValueError, match="is no time zone") as raised:
        CronTask("* * * * *", zone=zone)
    assert repr(zone) in str(raised.value)


# Intervals


@given(
    seconds=st.floats(1e-6, 1e8) | st.integers(1, 10**8),
    periods=st.integers(0, 10**6),
)
def test_the_dates_of_an_interval_are_exact_whenever_one_looks(seconds, periods):
    assume(seconds * periods < 10**6 * 86400)
    step = timedelta(seconds=seconds)
    interval = unpacked(packed(Interval(seconds, START)))
    moment = START + periods * step
    assert interval.after(moment) == moment + step
    assert interval.after(moment, inclusive=True) == moment
    assert interval.after(moment - timedelta(microseconds=1)) == moment


def test_an_interval_begins_with_its_start():
    assert IntervalTask(60, START).getStartOn() == START
    assert Interval(60, START).after(START - timedelta(days=1)) == START


@pytest.mark.parametrize("seconds", [0, -1, 1e-9, float("nan"), float("inf")])
def test_an_interval_is_a_number_of_seconds_greater_than_0(seconds):
    with pytest.raises(ValueError, match="must be a number greater than 0"):
        IntervalTask(seconds)


def test_the_start_of_an_interval_needs_a_zone():
    with pytest.raises(ValueError, match="start must have a time zone"):
        IntervalTask(1, datetime(2031, 1, 1))  # noqa: DTZ001


# What is stored


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_is_stored_as_plain_values(schedule):
    state = pickle.dumps(packed(schedule))
    for module in (b"scheduler", b"dateutil", b"zoneinfo", b"datetime", b"cronsim"):
        assert module not in state
    again = unpacked(pickle.loads(state))  # noqa: S301 (written above)
    assert again == schedule
    assert repr(again) == repr(schedule)
    assert dates(again, 5) == dates(schedule, 5)


def test_the_state_of_a_periodic_task_is_small(connection):
    task = PeriodicTask(rrule.MINUTELY, dtstart=START, byhour=(8, 9))
    connection.add(task)
    assert len(ObjectWriter(task).serialize(task)) < 450


# Whatever the host's zone, and however old


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_zone_of_the_host_does_not_matter(schedule, monkeypatch):
    here = dates(schedule, 5)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert dates(unpacked(packed(schedule)), 5) == here
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "arguments",
    [{}, {"count": 10**7}, {"byhour": tuple(range(24))}, {"until": START + timedelta(days=9999)}],
    ids=repr,
)
def test_an_old_rule_is_not_walked_from_its_beginning(arguments):
    rule = Rule(rrule.MINUTELY, dtstart=START - timedelta(days=1500), **arguments)
    local = START.replace(tzinfo=None)
    assert local - rule._near(local) <= timedelta(minutes=1)
    assert rule.after(START) == START + timedelta(minutes=1)
