"""Calendars as the programs read them that follow one: zones, versions, states and reminders.

Covers `export.formats.ics`, `export.formats.vevent`, `export.formats.vtimezone`,
`export.fossils.calendar_entry`, `export.model.last_change`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import feedparser
import icalendar
import ics
import pytest
import vobject
import ZODB
from dateutil.tz import tzical
from ZODB.FileStorage import FileStorage

from export.errors import CatalogueException
from export.formats import ics as ics_format
from export.formats.vevent import made
from export.formats.vtimezone import timezone_component
from export.fossils.calendar_entry import CalendarEntry, Organizer
from export.model.access import Protection
from export.model.booking_slots import Slots
from export.model.last_change import last_change
from export.model.person import ConferenceChair, Creator
from scheduler.store import transact
from tests.export.answers.random_writes import undo_last
from tests.export.planting import at, change, key_of_ann, plant
from tests.export.planting_rooms import change_room, local, plant_rooms

EVENT = "/export/event/137346"
NAMES = ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE")
CALENDARS = (
    f"{EVENT}.ics",
    f"{EVENT}.ics?detail=contributions",
    f"{EVENT}.ics?detail=sessions",
    f"{EVENT}/contribution/0-3.ics",
    f"{EVENT}/session/0.ics",
    "/export/categ/2.ics",
)
ADA = ConferenceChair("0", "Ada", "Byron", "London", "ada@example.org")
ZONES = ("Europe/Zurich", "America/New_York", "Asia/Kolkata", "Asia/Tehran", "Africa/Casablanca")


def text(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def events(client, address=f"{EVENT}.ics"):
    return icalendar.Calendar.from_ical(text(client, address)).walk("VEVENT")


@pytest.mark.parametrize("address", CALENDARS)
def test_times_are_by_the_clocks_of_the_event(planted, address):
    calendar = icalendar.Calendar.from_ical(text(planted, f"{address}"))
    assert [zone["tzid"] for zone in calendar.walk("VTIMEZONE")] == ["Europe/Zurich"]
    for event in calendar.walk("VEVENT"):
        assert {event[name].params["TZID"] for name in ("DTSTART", "DTEND")} == {"Europe/Zurich"}


def test_an_event_in_utc_needs_no_zone(planted, database):
    change(database, lambda event: event.update(timezone="UTC"))
    found = text(planted, f"{EVENT}.ics?tz=Asia/Tokyo")
    assert "DTSTART:20110623T060000Z" in found
    assert "VTIMEZONE" not in found


@pytest.mark.parametrize("key", ZONES)
@pytest.mark.parametrize("years", [(2011, 2011), (2024, 2031), (2036, 2042)])
def test_a_zone_is_told_as_its_clocks_go(key, years):
    component = timezone_component(key, *years).to_ical().decode()
    lines = f"BEGIN:VCALENDAR\r\n{component}END:VCALENDAR\r\n"
    path = [line for line in lines.splitlines() if line]
    told, zone = _as_read(path), ZoneInfo(key)
    moment = datetime(years[0], 1, 1, tzinfo=UTC)
    while moment.year <= years[1]:
        wall = moment.astimezone(zone)
        if wall.fold == 0 and wall.astimezone(UTC) == moment:
            assert wall.replace(tzinfo=told).utcoffset() == wall.utcoffset(), moment
        moment += timedelta(hours=7)


def _as_read(lines):
    return tzical(StringIO("\r\n".join(lines))).get()


def test_an_entry_is_stamped_with_the_transaction_that_changed_it(planted, database):
    change(database, lambda event: event.setTitle("Another"))
    change(database, lambda event: event.contributions["0"].setTitle("Talk"))
    for address, find in (
        (f"{EVENT}.ics", lambda event: event),
        (f"{EVENT}/contribution/0.ics", lambda event: event.contributions["0"]),
    ):
        changed = last_change_of(database, find)
        (event,) = events(planted, address)
        for name in NAMES[:2]:
            assert event.decoded(name) == changed.replace(microsecond=0)


def last_change_of(database, find):
    found = []
    change(database, lambda event: found.append(last_change(find(event))))
    return found[-1]


def test_undoing_a_change_is_one(tmp_path):
    database = ZODB.DB(FileStorage(str(tmp_path / "data.fs")))
    transact(database, plant)
    before = last_change_of(database, lambda event: event)
    change(database, lambda event: event.setTitle("Another"))
    changed = last_change_of(database, lambda event: event)
    undo_last(database)
    assert before < changed < last_change_of(database, lambda event: event)
    database.close()


def test_a_talk_changes_with_the_place_that_it_has_from_others(planted, database):
    change(database, lambda event: event.sessions["0"].update(room="Aula"))
    session = last_change_of(database, lambda event: event.sessions["0"])
    (event,) = events(planted, f"{EVENT}/contribution/3.ics")
    assert event.decoded("LAST-MODIFIED") == session.replace(microsecond=0)


def test_a_later_version_has_a_higher_number_of_31_bits():
    moments = [datetime(year, 6, 1, tzinfo=UTC) for year in (1990, 2024, 2025, 2060)]
    numbers = [made((at(1, 9), None), CalendarEntry(one)).decoded("sequence") for one in moments]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    assert len(set(numbers)) == 4
    assert numbers[-1] < 2**31


@pytest.mark.parametrize("status", ["confirmed", "tentative", "cancelled"])
@pytest.mark.parametrize("address", CALENDARS)
def test_every_entry_tells_the_status_of_its_event(planted, database, address, status):
    change(database, lambda event: event.set_status(status))
    assert {str(event["STATUS"]) for event in events(planted, address)} == {status.upper()}
    (shown,) = planted.get(f"{EVENT}.json").json["results"]
    assert shown["status"] == status


def test_a_status_that_there_is_not_is_refused(planted, database):
    with pytest.raises(CatalogueException, match="confirmed, tentative, cancelled"):
        change(database, lambda event: event.set_status("off"))


@pytest.mark.parametrize("address", CALENDARS)
def test_every_calendar_reminds_where_that_is_asked_for(planted, address):
    asked = f"{address}{'&' if '?' in address else '?'}alarms=30"
    for event in events(planted, asked):
        (alarm,) = event.walk("VALARM")
        assert alarm.decoded("trigger") == timedelta(minutes=-30)
        assert alarm["action"] == "DISPLAY"
    assert not [event for event in events(planted, address) if event.walk("VALARM")]


def test_nobody_is_reminded_of_what_does_not_take_place(planted, database):
    change(database, lambda event: event.set_status("cancelled"))
    (event,) = events(planted, f"{EVENT}.ics?alarms=30")
    assert event.walk("VALARM") == []


@pytest.mark.parametrize("kind", ["ics", "json"])
@pytest.mark.parametrize("alarms", ["soon", "-5", "9999999"])
def test_a_reminder_that_cannot_be_is_refused(planted, kind, alarms):
    assert planted.get(f"{EVENT}.{kind}?alarms={alarms}").status_code == 400


def test_the_organizer_is_the_first_chair_whose_address_is_for_managers(planted, database):
    def set_up(event):
        event.update(chairs=(ADA,), creator=Creator("1", "Bob", "Boole"), organizer="The Society")
        event.grant_modification("ann")

    change(database, set_up)
    key, _ = transact(database, key_of_ann)
    asked = (f"{EVENT}.ics", f"{EVENT}.ics?ak={key}")
    (open_to_all,), (for_ann,) = (events(planted, address) for address in asked)
    assert open_to_all["ORGANIZER"].params["CN"] == "Ada Byron"
    assert [str(one["ORGANIZER"]) for one in (open_to_all, for_ann)] == [
        "invalid:nomail",
        "mailto:ada@example.org",
    ]
    change(database, lambda event: event.update(chairs=()))
    assert events(planted)[0]["ORGANIZER"].params["CN"] == "The Society"
    change(database, lambda event: event.update(organizer=""))
    assert events(planted)[0]["ORGANIZER"].params["CN"] == "Bob BOOLE"


def test_who_may_see_a_talk_alone_is_not_told_who_organizes_its_event(planted, database):
    def close(event):
        event.update(chairs=(ADA,))
        event.setProtection(Protection.RESTRICTED)
        event.contributions["0"].setProtection(Protection.PUBLIC)

    change(database, close)
    (event,) = events(planted, f"{EVENT}/contribution/0.ics")
    assert "ORGANIZER" not in event


def test_a_talk_has_one_uid_in_all_calendars_wherever_it_is_scheduled(planted, database):
    addresses = (f"{EVENT}/contribution/3.ics", f"{EVENT}/session/0.ics")
    assert {str(event["UID"]) for one in addresses for event in events(planted, one)} == {
        "indico-contribution-137346-3@indico.server"
    }


@pytest.mark.parametrize(
    ("timezone", "status", "start", "told"),
    [
        ("Europe/Zurich", "cancelled", b"20110602T090000", "CANCELLED"),
        ("Mars", "lost", b"20110602T070000Z", None),
        (None, None, b"20110602T070000Z", None),
    ],
)
def test_an_object_of_an_application_has_the_zone_and_status_of_its_fields(
    timezone, status, start, told
):
    texts = dict.fromkeys(("title", "description", "url", "location", "room"), "x")
    dates = dict.fromkeys(("startDate", "endDate", "modificationDate"), at(2, 9))
    shown = {"path": "/export/book/1", "timezone": timezone, "status": status, **texts, **dates}
    content = ics_format.write({"results": [shown], "url": ""}, None, pretty=False)
    (event,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert event["DTSTART"].to_ical() == start
    assert event.get("STATUS") == told


def test_a_feed_tells_of_a_cancelled_event(planted, database):
    address = f"{EVENT}.atom"
    assert "tags" not in feedparser.parse(text(planted, address)).entries[0]
    change(database, lambda event: event.set_status("cancelled"))
    feed = feedparser.parse(text(planted, address))
    assert (feed.bozo, [tag.term for tag in feed.entries[0].tags]) == (0, ["cancelled"])


def test_far_years_are_told_in_utc():
    entry = CalendarEntry(at(1, 9), ZoneInfo("Europe/Zurich"))
    for year in (1, 1850, 2300, 9999):
        start = datetime(year, 6, 1, 12, tzinfo=UTC)
        assert made((start, None), entry)["dtstart"].to_ical().endswith(b"Z")


@pytest.mark.parametrize("name", ['Ada "the" Byron', "A; B: C, D", "a\r\nb", "\ud800x", "Ünï"])
def test_any_name_makes_an_organizer_that_can_be_read(name):
    entry = CalendarEntry(at(1, 9), organizer=Organizer(name, "ada@example.org"))
    event = icalendar.Event.from_ical(made((at(1, 9), None), entry, summary="x").to_ical())
    assert str(event["ORGANIZER"]) == "mailto:ada@example.org"


@pytest.fixture
def reservations(planted, database):
    """The calendar of a daily booking over a change of clocks, one day of which is excluded."""
    transact(database, plant_rooms)
    slots = Slots(
        local(2014, 10, 20, 9), timedelta(hours=1), date(2014, 11, 5), "weekly",
        excluded=frozenset({date(2014, 10, 27)}),
    )  # fmt: skip
    change_room(database, lambda room: room.book(slots, "ann", "weekly", "BYRON, Ada").id)
    key, _ = transact(database, key_of_ann)
    return text(planted, f"/export/reservation/CERN.ics?ak={key}&bf=BYRON*&alarms=5")


TIMES = [datetime(2014, 10, 20, 7, tzinfo=UTC), datetime(2014, 11, 3, 8, tzinfo=UTC)]


def test_vobject_finds_the_times_of_a_rule(reservations):
    event = vobject.readOne(reservations).vevent
    assert [one.astimezone(UTC) for one in event.getrruleset(addRDate=True)] == TIMES


@pytest.mark.parametrize("address", CALENDARS)
def test_no_line_of_a_calendar_is_without_a_value(planted, database, address):
    change(database, lambda event: event.update(location=None, room=None))
    lines = text(planted, address).splitlines()
    assert [line for line in lines if line.endswith(":")] == []


def test_programs_read_the_same_from_a_calendar(planted, database):
    change(database, lambda event: event.update(chairs=(ADA,), timezone="America/New_York"))
    content = text(planted, f"{EVENT}.ics?alarms=15")
    (first,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    (second,) = ics.Calendar(content).events
    third = vobject.readOne(content).vevent
    assert str(first["UID"]) == second.uid == third.uid.value
    assert str(first["SUMMARY"]) == second.name == third.summary.value
    begins = first.decoded("DTSTART"), second.begin.datetime, third.dtstart.value
    assert {one.astimezone(UTC) for one in begins} == {at(23, 8)}
    ends = first.decoded("DTEND"), second.end.datetime, third.dtend.value
    assert {one.astimezone(UTC) for one in ends} == {at(24, 18)}
    assert str(first["STATUS"]) == second.status == third.status.value == "CONFIRMED"
    assert second.organizer.common_name == third.organizer.cn_param == "Ada Byron"
    assert second.last_modified.datetime == first.decoded("LAST-MODIFIED")
    assert second.alarms[0].trigger == third.valarm.trigger.value == timedelta(minutes=-15)


@pytest.mark.parametrize("address", ["/export/openapi.json", f"{EVENT}.json", f"{EVENT}.xml"])
def test_entries_of_calendars_are_in_nothing_else(planted, address):
    assert "calendarEntry" not in text(planted, address)


def test_what_is_cancelled_alone_is_told_as_a_message_to_calendars(planted, database):
    address = "/export/event/137346.ics?method=cancel"
    none = icalendar.Calendar.from_ical(planted.get(address).text)
    assert (none["method"], none.walk("VEVENT")) == ("CANCEL", [])
    change(database, lambda event: event.set_status("cancelled"))
    (event,) = icalendar.Calendar.from_ical(planted.get(address).text).walk("VEVENT")
    assert event["status"] == "CANCELLED"
    assert {"uid", "sequence", "dtstamp"} <= {name.lower() for name in event}
    plain = planted.get("/export/event/137346.ics").text
    assert "METHOD" not in plain
    assert planted.get("/export/event/137346.ics?method=x").status_code == 400
