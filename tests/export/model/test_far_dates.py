"""An event at an edge of the calendar is shown, and takes no other with it.

Covers `export.model.local_time`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest

from export.formats import FORMATS
from export.imports.loader import load
from export.imports.source import items_of
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.session import Session, SessionSlot
from export.model.timetable import Break
from livesync.records.document import document
from livesync.records.marcxml import collection
from livesync.records.reduction import STATUS_CREATED
from scheduler.store import transact
from tests.export.addresses import TABLE
from tests.export.planting import get

MIN, MAX = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
HOUR = timedelta(hours=1)
TIMES = {
    "1": (MIN, MIN + HOUR),
    "2": (MIN.replace(tzinfo=EAST), MIN.replace(tzinfo=EAST) + HOUR),
    "3": (MAX - HOUR, MAX),
    "4": (MAX.replace(tzinfo=WEST) - HOUR, MAX.replace(tzinfo=WEST)),
    "5": (MIN, MAX),
    "6": (MAX, MAX),
    "7": (MIN, MIN),
}
GOOD = datetime(2026, 6, 1, 10, tzinfo=UTC)
ZONES = ("UTC", "Pacific/Kiritimati", "Etc/GMT%2B12", "America/New_York", "Asia/Tokyo")
FILTERS = (
    *("", "from=0001-01-01", "to=9999-12-31", "from=9999-12-31", "to=0001-01-01"),
    *("day=9999-12-31", "day=0001-01-01", "from=0001-01-01T00:00&to=9999-12-31T23:59"),
    *("to=%2B999d", "from=-999d", "order=start&descending=yes", "occ=yes", "limit=3&offset=2"),
)


LISTS = [kind for kind in FORMATS if kind in TABLE.find("/export/categ/0.json", "GET")[0].formats]


@pytest.fixture
def far(database, client):
    def plant(connection):
        for number, (start, end) in {**TIMES, "9": (GOOD, GOOD + HOUR)}.items():
            event = Conference(number, "Open")
            event.setDates(start, end)
            event.timezone = "Pacific/Kiritimati" if int(number) % 2 else "America/Los_Angeles"
            catalogue(connection).add_event(event)
            talk, session, slot = Contribution("0"), Session("0"), SessionSlot("0")
            for part in (talk, slot):
                part.setDates(start, end)
            event.addContribution(talk)
            event.addSession(session)
            session.addSlot(slot)
            slot.schedule(talk)
            pause = Break("0")
            pause.setDates(start, end)
            event.add_break(pause)

    transact(database, plant)
    return client


@pytest.mark.parametrize("kind", LISTS)
def test_an_event_at_an_edge_is_shown_in_every_format_zone_and_filter(far, kind):
    for zone, wanted in product(ZONES, FILTERS):
        answer = far.get(f"/export/categ/0.{kind}?tz={zone}&{wanted}")
        assert answer.status_code == 200, (zone, wanted, answer.text)


@pytest.mark.parametrize("number", [*TIMES, "9"])
@pytest.mark.parametrize("kind", ["xml", "json"])
def test_the_schedule_of_an_event_at_an_edge_is_written_for_conference_apps(far, number, kind):
    answer = far.get(f"/export/event/{number}/schedule.{kind}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/export/event/1-2-3-4-5-6-7-9",
        *(f"/export/event/{number}/contribution/0" for number in TIMES),
        *(f"/export/event/{number}/session/0" for number in TIMES),
        *("/export/timetable/1-2-3-4-5-6-7-9", "/export/event/search/open"),
    ],
)
def test_an_event_at_an_edge_and_its_parts_are_shown_at_every_address(far, path):
    for kind, zone, detail in product(FORMATS, ZONES, ("subcontributions", "sessions")):
        answer = far.get(f"{path}.{kind}?tz={zone}&detail={detail}&occ=yes")
        assert answer.status_code in (200, 400, 404), (kind, zone, answer.text)


@pytest.mark.parametrize("zone", ZONES)
def test_the_others_are_there(far, zone):
    shown = get(far, f"/export/categ/0.json?tz={zone}")
    assert [one["id"] for one in shown if one["id"] == "9"] == ["9"]
    assert len(shown) == 8
    assert get(far, f"/export/categ/0.json?tz={zone}&day=2026-06-01") != []


def test_the_timetable_of_an_event_of_all_days_tells_those_with_something_on_them(far):
    assert list(get(far, "/export/timetable/5.json")["5"]) == ["00010101"]


def test_agents_are_told_of_it(far, database):
    def tell(connection):
        events = [catalogue(connection).event(number) for number in TIMES]
        assert collection([(event, event.getId(), STATUS_CREATED) for event in events])
        return [document((event, event.getId(), STATUS_CREATED)) for event in events]

    assert len(transact(database, tell)) == len(TIMES)


def test_an_event_that_cannot_be_shown_is_left_out_alone(far, database):
    def spoil(connection):
        catalogue(connection).event("9").update(keywords=7)

    transact(database, spoil)
    assert len(get(far, "/export/categ/0.json")) == 7
    assert far.get("/export/event/9.json").status_code == 500


ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:far
SUMMARY:Far
{}
END:VEVENT
BEGIN:VEVENT
UID:good
SUMMARY:Good
DTSTART:20260601T100000Z
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    "lines",
    [
        "DTSTART;VALUE=DATE:99991231",
        "DTSTART;VALUE=DATE:00010101",
        "DTSTART;TZID=Asia/Tokyo:00010101T000000",
        "DTSTART;TZID=America/New_York:99991231T235959",
        "DTSTART:20260601T100000Z\nDURATION:P9999999D",
        "DTSTART:20260601T100000Z\nDTEND:99991231T235959Z",
        "DTSTART:00000101T000000Z",
        "DTSTART:99991231T235959Z\nRRULE:FREQ=DAILY\nEXDATE:99991231T235959Z",
        "DTSTART:20260601T100000Z\nRDATE:00010101T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=0",
        "DTSTART:20260601T100000Z\nRDATE;VALUE=PERIOD:20260101T000000Z/P99999999W",
    ],
)
def test_a_far_date_of_a_calendar_takes_nothing_else_with_it(database, tmp_path, lines):
    file = tmp_path / "far.ics"
    file.write_text(ICS.format(lines))
    (done,) = load(database, items_of(file))
    assert [event.partition(": ")[2] for event in done.events] == ["Good, 0 contributions"]
    assert done.problems[0].startswith(f"{file}: line 4")


@pytest.mark.parametrize(
    ("day", "zone"), [("9999-12-31", "America/New_York"), ("0001-01-01", "Asia/Tokyo")]
)
def test_a_far_date_of_an_answer_takes_nothing_else_with_it(database, tmp_path, day, zone):
    near = {"date": "2026-06-01", "time": "10:00:00", "tz": "UTC"}
    far = {"date": day, "time": "23:00:00" if day[0] == "9" else "00:00:00", "tz": zone}
    event = {"title": "An event", "startDate": near, "endDate": near}
    talk = {"id": 1, "title": "A talk", "startDate": far, "endDate": far}
    file = tmp_path / "far.json"
    results = [
        {**event, "id": 1, "startDate": far, "endDate": far},
        {**event, "id": 2, "contributions": [talk, {**talk, "id": 2, **event}]},
    ]
    file.write_text(json.dumps({"results": results}))
    (done,) = load(database, items_of(file))
    assert done.events == ["event 2: An event, 1 contribution"]
    assert [one.partition(": ")[2][:10] for one in done.problems] == ["results[0]", "results[1]"]


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_far_date_of_a_schedule_takes_nothing_else_with_it(database, tmp_path, day):
    talk = {"title": "A talk", "duration": "01:00", "start": "10:00"}
    rooms = [
        {"date": day, "rooms": {"A": [{**talk, "id": 1}]}},
        {"date": "2026-06-01", "rooms": {"A": [{**talk, "id": 2}]}},
    ]
    conference = {"acronym": "far", "title": "Far", "time_zone_name": "Asia/Tokyo", "days": rooms}
    file = tmp_path / "far.json"
    file.write_text(json.dumps({"schedule": {"conference": conference}}))
    (done,) = load(database, items_of(file))
    assert done.events == ["event far: Far, 1 contribution"]
    assert "days[0].rooms.A[0]" in done.problems[0]
