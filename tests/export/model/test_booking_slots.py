"""The days and times of bookings, against walking through every day."""

from __future__ import annotations

import pickle
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.model.booking_slots import MONTHLY, STEPS, TICK, WEEKS, Slots
from tests.export.planting_rooms import local

MINUTE = timedelta(minutes=1)


@st.composite
def slots(draw):
    begin = local(2024, 1, 1) + draw(st.integers(0, 150 * 24)) * timedelta(hours=1)
    last = begin.date() + timedelta(days=draw(st.integers(0, 200)))
    days = st.dates(date(2024, 1, 1), date(2024, 12, 31))
    repeatability = draw(st.sampled_from(list(STEPS)))
    weekdays = frozenset()
    if repeatability in WEEKS and draw(st.booleans()):
        weekdays = draw(st.frozensets(st.integers(0, 6), max_size=4)) | {begin.weekday()}
    longest = (
        100 if last == begin.date() else 24 * (1 if weekdays else min(2, STEPS[repeatability]))
    )
    length = draw(st.integers(1, longest * 60)) * MINUTE
    return Slots(
        begin, length, last, repeatability, draw(st.frozensets(days, max_size=4)), weekdays
    )


def walked(one):
    """The beginnings of all slots, found by asking of every day."""
    days = (one.last - one.begin.date()).days + 1
    every = (one.begin + timedelta(days=number) for number in range(days))
    return [begin for begin in every if one.occurs_on(begin.date())]


@given(slots(), slots())
def test_slots_overlap_where_two_of_them_share_a_moment(one, other):
    shared = any(
        begin < rival + other.length and rival < begin + one.length
        for begin in walked(one)
        for rival in walked(other)
    )
    assert one.overlaps(other) is shared
    assert other.overlaps(one) is shared


@given(slots(), st.dates(date(2024, 1, 1), date(2024, 12, 31)), st.integers(0, 100))
def test_the_days_of_a_range_are_those_on_which_there_is_a_slot(one, start, more):
    end = start + timedelta(days=more)
    expected = [begin.date() for begin in walked(one) if start <= begin.date() <= end]
    assert list(one.days(start, end)) == expected


@given(slots(), st.dates(date(2024, 1, 1), date(2025, 3, 1)))
def test_slots_are_parted_at_a_day(one, day):
    before, after = one.until(day), one.starting(day)
    assert [begin for begin in walked(one) if begin.date() < day] == (
        walked(before) if before is not None else []
    )
    assert [begin for begin in walked(one) if begin.date() >= day] == (
        walked(after) if after is not None else []
    )


@given(slots(), st.integers(0, 500 * 24 * 60))
def test_the_current_slot_is_the_first_that_is_not_over(one, minutes):
    moment = local(2024, 1, 1) + minutes * MINUTE
    left = [begin for begin in walked(one) if begin + one.length > moment]
    assert one.current(moment) == next(iter(left), None)


@given(slots(), st.integers(0, 200 * 24), st.integers(0, 100 * 24))
def test_times_are_those_that_lie_within_a_range(one, hours, more):
    start = local(2024, 1, 1) + timedelta(hours=hours)
    end = start + timedelta(hours=more)
    every = ((begin, begin + one.length) for begin in walked(one))
    expected = [(begin, stop) for begin, stop in every if start <= begin and stop <= end]
    assert list(one.times(start, end)) == expected


def test_monthly_is_the_same_weekday_of_the_month_and_skips_months_without_it():
    fifth_tuesday = Slots(local(2024, 1, 30, 9), MINUTE, date(2024, 8, 1), MONTHLY)
    days = [begin.date() for begin, _ in fifth_tuesday.times()]
    assert days == [date(2024, 1, 30), date(2024, 4, 30), date(2024, 7, 30)]


def test_every_second_month_is_every_second_monthly_day():
    tuesdays = Slots(local(2024, 1, 9, 9), MINUTE, date(2024, 8, 1), "everyTwoMonths")
    assert [begin.date() for begin, _ in tuesdays.times()] == [
        date(2024, 1, 9), date(2024, 3, 12), date(2024, 5, 14), date(2024, 7, 9)
    ]  # fmt: skip


def test_every_second_week_may_have_several_days():
    slots = Slots(
        local(2024, 5, 2, 9), MINUTE, date(2024, 5, 20), "everyTwoWeeks", weekdays=frozenset({0, 3})
    )
    days = [begin.day for begin, _ in slots.times()]
    assert days == [2, 13, 16]
    after = slots.starting(date(2024, 5, 3))
    assert [begin.day for begin, _ in after.times()] == [13, 16]


def test_days_of_the_week_leave_time_for_the_longest_slot_between_them():
    weekdays = frozenset({0, 3})
    begin, last = local(2024, 5, 2, 9), date(2024, 6, 20)
    Slots(begin, timedelta(hours=72), last, "weekly", weekdays=weekdays)
    with pytest.raises(ValueError, match="before it comes back"):
        Slots(begin, timedelta(hours=73), last, "weekly", weekdays=weekdays)
    with pytest.raises(ValueError, match="on one of its weekdays"):
        Slots(begin, MINUTE, last, "weekly", weekdays=frozenset({0}))
    with pytest.raises(ValueError, match="weekdays are for weekly"):
        Slots(begin, MINUTE, last, "monthly", weekdays=weekdays)


def test_a_booking_of_several_days_takes_its_time_of_day_on_each_of_them():
    three_mornings = Slots.spanning(local(2024, 5, 1, 10), local(2024, 5, 3, 12))
    assert three_mornings.overlaps(at(2024, 5, 2, 11))
    assert not three_mornings.overlaps(at(2024, 5, 2, 15))
    assert three_mornings.repeatability == "daily"
    assert list(three_mornings.times()) == [
        (local(2024, 5, day, 10), local(2024, 5, day, 12)) for day in (1, 2, 3)
    ]


def test_days_that_an_earlier_release_has_stored_are_daily():
    stored = Slots(local(2024, 5, 1, 10), timedelta(hours=2), date(2024, 5, 3), "daily")
    stored.__dict__["repeatability"] = None
    del stored.__dict__["weekdays"]
    assert pickle.loads(pickle.dumps(stored)).repeatability == "daily"  # noqa: S301


def test_a_booking_over_midnight_takes_all_the_time_between():
    night = Slots.spanning(local(2024, 5, 1, 22), local(2024, 5, 3, 6))
    assert night.overlaps(at(2024, 5, 2, 15))
    assert night.overlaps(at(2024, 5, 3, 5))
    assert not night.overlaps(at(2024, 5, 3, 6))


def test_touching_is_no_overlap():
    assert not at(2024, 5, 2, 11).overlaps(at(2024, 5, 2, 12))
    assert Slots(local(2024, 5, 2, 12) - TICK, TICK * 2, date(2024, 5, 2)).overlaps(
        at(2024, 5, 2, 12)
    )


def test_slots_that_go_on_to_the_end_of_the_century_are_compared_at_once():
    last = date(2099, 12, 31)
    mornings = Slots(local(2024, 5, 1, 8), timedelta(hours=1), last, "daily")
    evenings = Slots(local(2024, 5, 1, 18), timedelta(hours=1), last, "everyThreeWeeks")
    monthly = Slots(local(2024, 5, 1, 18), timedelta(hours=1), last, MONTHLY)
    assert not mornings.overlaps(evenings)
    assert not mornings.overlaps(monthly)
    assert evenings.overlaps(monthly)


@pytest.mark.parametrize(
    ("begin", "length", "last", "repeatability"),
    [
        (local(2024, 5, 1), timedelta(), date(2024, 5, 1), None),
        (local(2024, 5, 1), MINUTE, date(2024, 4, 30), None),
        (local(2024, 5, 1), MINUTE, date(2024, 5, 1), "yearly"),
        (local(2024, 5, 1), timedelta(hours=25), date(2024, 5, 9), "daily"),
        (local(1969, 5, 1), MINUTE, date(2024, 5, 1), None),
        (local(2024, 5, 1), MINUTE, date(2100, 1, 1), None),
    ],
)
def test_slots_that_make_no_sense_are_refused(begin, length, last, repeatability):
    with pytest.raises(ValueError, match=r"must|repeatability"):
        Slots(begin, length, last, repeatability)


def at(year, month, day, hour):
    """One hour."""
    return Slots(local(year, month, day, hour), timedelta(hours=1), date(year, month, day))
