"""Reservations as calendars have them: rules, times and states."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import icalendar
import pytest
from dateutil.rrule import rrulestr

from export.model.booking_slots import Slots
from export.model.last_change import last_change
from tests.export.planting import get
from tests.export.planting_rooms import (
    RESERVATIONS,
    change_reservation,
    change_room,
    local,
)
from tests.export.resources.test_room import APRIL, book


def test_a_calendar_has_the_reservation_with_its_rule(client, database, ann):
    change_reservation(database, lambda one: one.exclude(date(2011, 6, 25)))
    answer = client.get(f"/export/reservation/CERN.ics?ak={ann}")
    (event,) = icalendar.Calendar.from_ical(answer.text).walk("VEVENT")
    assert event["uid"] == "indico-resv-93094@indico.server"
    assert event.decoded("dtstart") == datetime(2011, 6, 24, 6, 30, tzinfo=UTC)
    assert event.decoded("dtend") == datetime(2011, 6, 24, 15, 30, tzinfo=UTC)
    assert event["rrule"].to_ical() == b"FREQ=DAILY;UNTIL=20110625T153000Z"
    assert event.decoded("exdate").dts[0].dt == datetime(2011, 6, 25, 6, 30, tzinfo=UTC)
    assert event["location"] == "CERN: 500-1-201 - Mezzanine"
    assert event["summary"] == "Just testing"
    assert client.get(f"/export/room/CERN/120.ics?ak={ann}").status_code == 404


@pytest.mark.parametrize(
    ("every", "rule"),
    [
        ("daily", "FREQ=DAILY;UNTIL=20140531T080000Z"),
        ("weekly", "FREQ=WEEKLY;UNTIL=20140531T080000Z;INTERVAL=1"),
        ("everyTwoWeeks", "FREQ=WEEKLY;UNTIL=20140531T080000Z;INTERVAL=2"),
        ("everyThreeWeeks", "FREQ=WEEKLY;UNTIL=20140531T080000Z;INTERVAL=3"),
        ("monthly", "FREQ=MONTHLY;UNTIL=20140531T080000Z;BYDAY=2TU"),
    ],
)
def test_each_repeatability_has_its_rule(client, database, ann, every, rule):
    book(database, "again", local(2014, 4, 8, 9), last=date(2014, 5, 31), every=every)
    query = f"ak={ann}&bf=BYRON*&tz=Europe/Zurich"
    text = client.get(f"/export/reservation/CERN.ics?{query}").text
    assert f"RRULE:{rule}\r\n" in text
    assert "DTSTART;TZID=Europe/Zurich:20140408T090000" in text
    (shown,) = get(client, f"{RESERVATIONS}?{query}")
    assert shown["repeatability"] == every


@pytest.mark.parametrize("tz", ["Europe/Zurich", "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("last", [date(2014, 11, 5), date(2015, 10, 19)])
def test_a_rule_over_a_change_of_clocks_is_in_local_time(client, database, ann, last, tz):
    number = book(database, "weekly", local(2014, 10, 20, 9), last=last, every="weekly")
    change_reservation(database, lambda one: one.exclude(date(2014, 10, 27)), number)
    query = f"ak={ann}&bf=BYRON*&tz={tz}"
    text = client.get(f"/export/reservation/CERN.ics?{query}").text
    calendar = icalendar.Calendar.from_ical(text)
    (event,) = calendar.walk("VEVENT")
    assert event["dtstart"].to_ical() == b"20141020T090000"
    assert event["dtend"].to_ical() == b"20141020T100000"
    assert event["exdate"].to_ical() == b"20141027T090000"
    assert event["dtstart"].params["TZID"] == "Europe/Zurich"
    assert [zone["tzid"] for zone in calendar.walk("VTIMEZONE")] == ["Europe/Zurich"]


def calendar(client, ann, query="bf=BYRON*"):
    text = client.get(f"/export/reservation/CERN.ics?ak={ann}&{query}").text
    return icalendar.Calendar.from_ical(text).walk("VEVENT")


def test_a_booking_of_several_days_is_told_as_it_blocks_the_room(client, database, ann):
    book(database, "camp", local(2014, 10, 20, 9), last=date(2014, 10, 22))
    (event,) = calendar(client, ann)
    assert event.decoded("dtend") == datetime(2014, 10, 20, 8, tzinfo=UTC)
    assert event["rrule"].to_ical() == b"FREQ=DAILY;UNTIL=20141022T080000Z"
    (shown,) = get(client, f"{RESERVATIONS}?ak={ann}&bf=BYRON*&occ=yes&tz=Europe/Zurich")
    assert shown["repeatability"] == "daily"
    assert [one["startDT"]["date"] for one in shown["occurrences"]] == [
        "2014-10-20", "2014-10-21", "2014-10-22"
    ]  # fmt: skip
    assert {one["endDT"]["time"] for one in shown["occurrences"]} == {"10:00:00"}


def test_a_reservation_of_more_than_a_day_each_week_is_told_with_its_length(client, database, ann):
    book(database, "long", APRIL, hours=30, last=date(2014, 4, 20), every="weekly")
    (event,) = calendar(client, ann)
    assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(hours=30)


@pytest.mark.parametrize(
    ("every", "weekdays", "rule"),
    [
        ("weekly", {0, 2}, "FREQ=WEEKLY;UNTIL=20140531T080000Z;INTERVAL=1;BYDAY=MO,WE"),
        ("everyTwoWeeks", {0, 4}, "FREQ=WEEKLY;UNTIL=20140531T080000Z;INTERVAL=2;BYDAY=MO,FR"),
        ("everyTwoMonths", set(), "FREQ=MONTHLY;UNTIL=20140531T080000Z;INTERVAL=2;BYDAY=1MO"),
    ],
)
def test_days_of_the_week_and_months_are_told(client, database, ann, every, weekdays, rule):
    begin, last = local(2014, 4, 7, 9), date(2014, 5, 31)
    wanted = Slots(begin, timedelta(hours=1), last, every, weekdays=frozenset(weekdays))
    change_room(database, lambda room: room.book(wanted, "ann", "often", "BYRON, Ada").id)
    (event,) = calendar(client, ann)
    assert event["rrule"].to_ical().decode() == rule
    query = f"ak={ann}&bf=BYRON*&occ=yes&tz=Europe/Zurich"
    (shown,) = get(client, f"{RESERVATIONS}?{query}")
    names = ("mon", "tue", "wed", "thu", "fri")
    assert shown["recurrence_weekdays"] == [names[day] for day in sorted(weekdays)]
    starts = event["rrule"].to_ical().decode().replace("20140531T080000Z", "20140531T090000")
    told = [one["startDT"]["date"] for one in shown["occurrences"]]
    assert told == [f"{day:%Y-%m-%d}" for day in rrulestr(starts, dtstart=begin)]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("is_cancelled", "CANCELLED"),
        ("is_rejected", "CANCELLED"),
        ("is_pending", "TENTATIVE"),
        (None, "CONFIRMED"),
    ],
)
def test_the_state_of_a_reservation_is_told(client, database, ann, state, status):
    number = book(database, "one", confirmed=state != "is_pending")
    if state == "is_cancelled":
        change_reservation(database, lambda one: one.cancel(), number)
    if state == "is_rejected":
        change_reservation(database, lambda one: one.reject("no"), number)
    (shown,) = get(client, f"{RESERVATIONS}?ak={ann}&bf=BYRON*")
    states = ("is_cancelled", "is_rejected", "is_pending")
    assert {name: shown[name] for name in states} == {name: name == state for name in states}
    (event,) = calendar(client, ann)
    assert str(event["STATUS"]) == status


def test_the_time_of_a_reservation_is_that_of_its_last_change(client, database, ann):
    number = book(database, "one")
    change_reservation(database, lambda one: one.cancel(), number)
    changed = change_reservation(database, last_change, number)
    (event,) = calendar(client, ann)
    for name in ("dtstamp", "last-modified"):
        assert event.decoded(name) == changed.replace(microsecond=0)


def test_the_organizer_of_a_reservation_is_whom_it_is_booked_for(client, database, ann):
    book(database, "one")
    (event,) = calendar(client, ann)
    assert str(event["organizer"]) == "invalid:nomail"
    assert event["organizer"].params["CN"].startswith("BYRON")


def test_the_end_of_the_last_whole_day_is_not_one_more(client, database, ann):
    book(database, "all day", local(2014, 10, 20, 0), hours=24, last=date(2014, 10, 22))
    (event,) = calendar(client, ann)
    rule = event["rrule"].to_ical().decode().replace("Z", "")
    assert len(list(rrulestr(rule, dtstart=datetime(2014, 10, 20)))) == 3  # noqa: DTZ001


@pytest.mark.parametrize(
    ("days", "count"),
    [("2014-04-22", 1), ("2014-04-23", 0), ("2014-04-23,2014-04-15", 1), ("2014-06-10", 0)],
)
def test_reservations_are_found_by_the_days_on_which_they_occur(client, database, ann, days, count):
    book(database, "again", local(2014, 4, 8, 9), last=date(2014, 5, 31), every="weekly")
    found = get(client, f"{RESERVATIONS}?ak={ann}&bf=BYRON*&occurs={days}")
    assert len(found) == count
    for one in found:
        assert (one["repeat_frequency"], one["repeat_interval"]) == ("WEEK", 1)


def test_a_day_that_is_none_is_refused(client, database, ann):
    answer = client.get(f"{RESERVATIONS}?ak={ann}&occurs=soon")
    assert (answer.status_code, answer.json["message"][:18]) == (400, "Bad date in occurs")
