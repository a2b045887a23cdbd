"""Video bookings, as calendars follow them (reference 5.3.9).

Covers `export.fossils.video`, `export.model.video`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.errors import CatalogueException
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.video import ACCEPTED, PENDING, REJECTED
from export.signature import build_indico_request
from scheduler.store import transact
from tests.export.planting import at, change, error, get
from tests.export.planting_rooms import key_of

START, END = datetime(2011, 6, 23, 6, tzinfo=UTC), datetime(2011, 6, 24, 16, tzinfo=UTC)


def book(event):
    event.book_video("Vidyo", title="Virtual room", start=at(23, 9), end=at(23, 10))
    event.book_video("CERNMCU", status=PENDING)
    event.book_video("EVO", status=REJECTED)
    event.book_video(
        "WebcastRequest",
        status=ACCEPTED,
        audience="CERN",
        talks=tuple(event.contributions[number] for number in "03"),
    )
    event.book_video("RecordingRequest", status=PENDING, audience="")


@pytest.fixture
def ask(planted, database):
    """Ask for services as JSON; return the results."""
    change(database, book)
    ann = key_of(database, "ann")
    return lambda services, query="": get(
        planted, f"/export/video/{services}.json?ak={ann}&order=id&{query}"
    )


@pytest.fixture
def calendar(planted, database, ask):
    """Ask for services as a calendar; return its entries by their ids."""
    ann = key_of(database, "ann")

    def calendar(services, query=""):
        answer = planted.get(f"/export/video/{services}.ics?ak={ann}&{query}")
        assert answer.content_type.startswith("text/calendar")
        entries = icalendar.Calendar.from_ical(answer.text).walk("VEVENT")
        return {str(entry["uid"]).removesuffix("@indico.server"): entry for entry in entries}

    return calendar


def ids(shown):
    return [one["uniqueId"] for one in shown]


def test_each_service_has_its_bookings_and_rejected_ones_are_left_out(ask):
    assert ids(ask("vidyo")) == ["a137346csbook1"]
    assert ids(ask("mcu")) == ["a137346csbook2"]
    assert ids(ask("evo")) == ids(ask("webex")) == ids(ask("unknown")) == []
    assert ids(ask("vidyo-mcu-mcu,evo")) == ["a137346csbook1", "a137346csbook2"]
    assert ids(ask("all")) == [f"a137346csbook{number}" for number in (1, 2, 4, 5)]
    assert ids(ask("all-vidyo")) == ids(ask("all"))


def test_requests_are_shown_for_each_talk_or_for_the_event(ask):
    first, second = ask("webcast")
    assert ids([first, second]) == [
        "a137346t0we_20110623T060000",
        "a137346t3we_20110624T120000",
    ]
    assert first["_type"] == "CSBookingInstanceWrapper"
    assert first["title"] == "Export Test - d1c1"
    assert (first["status"], first["audience"]) == ("A", "CERN")
    (whole,) = ask("recording")
    assert whole["uniqueId"] == "a137346re_20110623T060000"
    assert (whole["title"], whole["audience"]) == ("Export Test", "No restriction")


def test_a_booking_is_shown_with_its_own_times_or_the_events(ask):
    vidyo, mcu = ask("vidyo-mcu")
    utc = {"date": "2011-06-23", "tz": "UTC"}
    assert vidyo == {
        "_type": "CSBooking",
        "_fossil": "collaborationMetadata",
        "uniqueId": "a137346csbook1",
        "type": "Vidyo",
        "status": "",
        "title": "Virtual room",
        "startDate": {**utc, "time": "07:00:00"},
        "endDate": {**utc, "time": "08:00:00"},
        "startDateAsString": "2011-06-23 07:00",
        "event_id": "137346",
        "location": "CERN",
        "room": "",
        "url": "https://indico.server/event/137346/",
        "audience": None,
    }
    assert (mcu["title"], mcu["status"]) == ("Export Test", "P")
    assert (mcu["startDate"]["time"], mcu["endDate"]["date"]) == ("06:00:00", "2011-06-24")


@pytest.mark.parametrize(
    ("query", "plain", "talks"),
    [
        ("from=2011-06-23&to=2011-06-23&tz=Europe/Zurich", 1, 1),
        ("from=2011-06-24", 0, 1),
        ("to=2011-06-23&tz=Europe/Zurich", 1, 1),
        ("to=2011-06-22", 0, 0),
        ("from=2011-06-25", 0, 0),
        ("categ=2", 1, 2),
        ("categ=3", 0, 2),
    ],
)
def test_bookings_are_chosen_by_when_the_event_begins_and_talks_by_themselves(
    ask, query, plain, talks
):
    assert len(ask("vidyo", query)) == plain
    assert len(ask("webcast", query)) == talks


def test_the_documented_feed_is_what_began_in_the_last_days(planted, database, ask):
    def now(connection):
        event = Conference("9", "Now")
        start = datetime.now(UTC) - timedelta(days=3)
        event.setDates(start, start + timedelta(hours=1))
        catalogue(connection).add_event(event)
        event.book_video("EVO")

    transact(database, now)
    assert ids(ask("all", "from=-70000&to=now")) == ["a9csbook1"]


def test_a_calendar_has_an_entry_for_each_booking(calendar):
    entries = calendar("vidyo-mcu-webcast-recording")
    vidyo = entries["indico-collaboration-a137346csbook1"]
    assert vidyo.decoded("dtstart") == datetime(2011, 6, 23, 7, tzinfo=UTC)
    assert vidyo.decoded("dtend") == datetime(2011, 6, 23, 8, tzinfo=UTC)
    assert vidyo["summary"] == "Vidyo: Virtual room"
    assert vidyo["categories"].cats == ["VideoService - Vidyo"]
    assert vidyo["location"] == "CERN"
    assert vidyo["url"] == "https://indico.server/event/137346/"
    assert vidyo["description"] == "Event URL: https://indico.server/event/137346/"
    assert vidyo.walk("VALARM") == []
    summaries = {str(entry["summary"]) for entry in entries.values()}
    assert summaries == {
        "Vidyo: Virtual room",
        "MCU-P: Export Test",
        "W-A: Export Test - d1c1",
        "W-A: Export Test - d2s1c1",
        "R-P: Export Test",
    }
    webcast = entries["indico-collaboration-a137346t0we_20110623T060000"]
    assert webcast["description"].startswith("Audience: CERN\nEvent URL: ")


@pytest.mark.parametrize(
    ("minutes", "trigger"), [(0, b"P0D"), (20, b"-PT20M"), (60, b"-PT1H"), (90, b"-PT1H30M")]
)
def test_every_booking_gets_the_alarm_that_is_asked_for(calendar, minutes, trigger):
    for entry in calendar("all", f"alarms={minutes}").values():
        (alarm,) = entry.walk("VALARM")
        assert alarm["action"] == "DISPLAY"
        assert alarm["trigger"].to_ical() == trigger
        assert alarm["summary"] == entry["summary"]
        assert alarm["description"] == entry["url"]


def test_a_signed_address_is_a_feed_that_goes_on_without_a_timestamp(database, ask):
    settings = {"api_mode": "ALL_SIGNED", "persistent_signatures": True}
    feed = Client(make_app(database, settings))

    def key(connection):
        made = key_ring(connection).create("cal", persistent_allowed=True)
        return made.key, made.secret

    parameters = {"alarms": 30, "from": "2011-06-01", "to": "2011-12-01"}
    address = build_indico_request(
        "/export/video/vidyo.ics", parameters, *transact(database, key), persistent=True
    )
    assert "timestamp" not in address
    assert "BEGIN:VALARM" in feed.get(address).text
    assert feed.get(address.replace("alarms=30", "alarms=31")).status_code == 403


def test_guests_get_nothing_and_strangers_nothing_of_what_is_protected(planted, database, ask):
    guest = (403, "Guest access to this resource is forbidden.")
    assert error(planted, "/export/video/all.json") == guest
    assert error(planted, "/export/video/all.ics") == guest
    change(database, lambda event: event.contributions["3"].setProtection(Protection.RESTRICTED))
    assert ids(ask("webcast")) == ["a137346t0we_20110623T060000"]
    assert len(ask("all")) == 4
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    assert ask("all") == []


def test_any_word_is_a_detail_and_changes_nothing_but_the_limit(planted, database, ask):
    assert ids(ask("all", "detail=recording")) == ids(ask("all"))
    address = f"/export/video/all.json?ak={key_of(database, 'ann')}&detail=recording&limit=1001"
    assert error(planted, address)[0] == 400


@pytest.mark.parametrize("alarms", ["x", "-1", "999999999999999"])
def test_an_alarm_that_makes_no_sense_is_refused(planted, database, ask, alarms):
    ann = key_of(database, "ann")
    assert error(planted, f"/export/video/all.ics?ak={ann}&alarms={alarms}")[0] == 400


def test_a_booking_is_changed_and_goes_with_its_talk(database, ask):
    def work(event):
        mcu = event.video_bookings[1]
        event.replace_video(mcu, status=ACCEPTED)
        event.book_video("WebcastRequest", talks=(event.contributions["0"],))
        event.removeContribution(event.contributions["0"])

    change(database, work)
    assert ask("mcu")[0]["status"] == "A"
    assert ids(ask("webcast")) == ["a137346t3we_20110624T120000"]


def test_only_services_and_talks_that_exist_can_be_booked(planted, database):
    def unknown(event):
        with pytest.raises(CatalogueException, match="Telex"):
            event.book_video("Telex")
        with pytest.raises(CatalogueException, match="no such talk"):
            event.book_video("Vidyo", talks=(Conference("1"),))

    change(database, unknown)
