"""What each format makes of the event of reference 5.3.2.

Covers `export.formats.atom`, `export.formats.html`, `export.formats.ics`, `export.formats.json`,
`export.formats.jsonp`, `export.formats.xml`, `export.formats.xml_text`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml.html import fragment_fromstring
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from export.formats import atom, html, ics, json, xml
from export.formats.xml_text import printable
from export.http.request import ExportRequest
from export.model.person import ConferenceChair, ContributionParticipation
from tests.export.planting import change

PATH = "/export/event/137346"
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def tree(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return etree.fromstring(answer.data)


def calendar(client, address):
    answer = client.get(address)
    assert answer.content_type == "text/calendar; charset=utf-8"
    return list(icalendar.Calendar.from_ical(answer.data).walk("VEVENT"))


def test_xml_names_elements_by_type_and_keeps_fossil_and_id_as_attributes(planted, database):
    chair = ConferenceChair("0", "Ada", "Byron")
    change(database, lambda event: event.update(chairs=(chair,), keywords=("a", "b")))
    answer = planted.get(f"{PATH}.xml?tz=Europe/Zurich")
    assert answer.data.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    assert answer.content_type == "text/xml; charset=utf-8"
    root = etree.fromstring(answer.data)
    assert (root.tag, root.findtext("count"), root.findtext("complete")) == (
        "httpapiresult",
        "1",
        "True",
    )
    (event,) = root.find("results")
    assert (event.tag, dict(event.attrib)) == (
        "conference",
        {"fossil": "conferenceMetadata", "id": "137346"},
    )
    assert event.findtext("startDate") == "2011-06-23T08:00:00+02:00"
    assert [item.text for item in event.find("keywords")] == ["a", "b"]
    assert event.find("chairs/conferencechair").findtext("fullName") == "Byron, Ada"
    assert event.find("visibility/collection").findtext("name") == "Everywhere"
    assert b"<room/>" in answer.data
    assert b"<description></description>" in answer.data


def test_xml_is_indented_when_asked_and_errors_are_written_in_it(planted):
    assert b"\n  <count>" in planted.get(f"{PATH}.xml?pretty=yes").data
    answer = planted.get(f"{PATH}.xml?detail=x")
    root = etree.fromstring(answer.data)
    assert (answer.status_code, root.tag, root.get("fossil")) == (
        400,
        "httpapierror",
        "hTTPAPIError",
    )
    assert root.findtext("message") == "Invalid detail level: x"


@pytest.mark.parametrize("form", ["html", "ics", "atom"])
def test_formats_that_cannot_say_errors_leave_that_to_json(planted, form):
    answer = planted.get(f"{PATH}.{form}?detail=x")
    assert (answer.status_code, answer.json["message"]) == (400, "Invalid detail level: x")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_any_answer_makes_a_document_that_can_be_read(data):
    body = {key: value for key, value in data.items() if not key.startswith("_")}
    etree.fromstring(xml.write(body, None, pretty=False))


@pytest.mark.parametrize("url", ["javascript://x/%0aalert(1)", "\tJavaScript://x", "data://x"])
def test_html_links_to_pages_only(planted, database, url):
    change(database, lambda event: event.update(url=url))
    assert b'href=""' in planted.get("/export/event/137346.html").data


def test_html_lists_events_by_day_and_escapes_what_they_say(planted, database):
    change(database, lambda event: event.setTitle('<script>"'))
    answer = planted.get(f"{PATH}.html?tz=Europe/Zurich")
    assert answer.content_type == "text/html; charset=utf-8"
    assert b"<script>" not in answer.data
    found = fragment_fromstring(answer.text)
    assert (found.tag, found.get("class")) == ("ul", "indico_event_list")
    text = {node.get("class"): node.text for node in found.iter("span")}
    assert text["indico_event_list_day"] == "Thursday June 23, 2011"
    assert text["indico_event_time"] == "08:00"
    assert text["indico_event_category"] == "TEST Category"
    (link,) = found.iter("a")
    assert (link.get("title"), link.get("href")) == (
        '<script>"',
        "https://indico.server/event/137346/",
    )
    assert found.find(".//li[@data-id]").get("data-id") == "137346"


def test_html_of_nothing_is_an_empty_list(planted):
    (shown,) = [fragment_fromstring(planted.get("/export/event/1.html").text)]
    assert len(shown) == 0


def test_atom_has_an_entry_for_each_event(planted, database, stopped_clock):
    change(database, lambda event: event.setDescription("<p>About</p>"))
    feed = tree(planted, f"{PATH}.atom")
    (entry,) = feed.findall("a:entry", ATOM)
    assert feed.findtext("a:title", namespaces=ATOM) == "Indico Feed"
    assert feed.findtext("a:id", namespaces=ATOM) == f"https://indico.server{PATH}.atom"
    assert entry.findtext("a:title", namespaces=ATOM) == "Export Test"
    assert entry.findtext("a:summary", namespaces=ATOM) == "<p>About</p>"
    assert entry.findtext("a:updated", namespaces=ATOM) == "2014-03-24T22:30:00Z"


def test_a_calendar_has_the_event(planted, database):
    change(database, lambda event: event.update(_description="<b>About</b> &amp; on", room="1-1"))
    (event,) = calendar(planted, f"{PATH}.ics")
    assert str(event["UID"]) == "indico-event-137346@indico.server"
    assert event["DTSTART"].dt == datetime(2011, 6, 23, 6, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2011, 6, 24, 16, tzinfo=UTC)
    assert str(event["SUMMARY"]) == "Export Test"
    assert str(event["LOCATION"]) == "CERN 1-1"
    assert str(event["DESCRIPTION"]) == "About & on\n\nhttps://indico.server/event/137346/"


@pytest.mark.parametrize(
    ("detail", "uids"),
    [
        ("contributions", [f"indico-contribution-137346-{number}" for number in range(4)]),
        ("subcontributions", [f"indico-contribution-137346-{number}" for number in range(4)]),
        ("sessions", ["indico-session-137346-0-0"]),
    ],
)
def test_a_calendar_of_a_detail_has_its_parts(planted, detail, uids):
    shown = calendar(planted, f"{PATH}.ics?detail={detail}")
    assert [str(event["UID"]) for event in shown] == [f"{uid}@indico.server" for uid in uids]


def test_a_calendar_names_the_speakers_and_leaves_out_what_has_no_date(planted, database):
    def speak(event):
        speaker = ContributionParticipation("0", "Ada", "Byron", "London")
        event.contributions["0"].update(speakers=(speaker,))
        event.contributions["1"].setDates(None, None)

    change(database, speak)
    first, *others = calendar(planted, f"{PATH}.ics?detail=contributions")
    assert str(first["DESCRIPTION"]).startswith("Speakers: BYRON, Ada (London)\n")
    assert len(others) == 2


@given(st.text(), st.text())
def test_any_text_makes_a_calendar_that_can_be_read(title, description):
    shown = {
        "_fossil": "conferenceMetadata",
        "id": "1",
        "title": title,
        "description": description,
        "startDate": datetime(2011, 6, 23, 6, tzinfo=UTC),
        "endDate": None,
        "url": "/event/1/",
        "location": title,
        "room": None,
        "modificationDate": datetime(2011, 6, 1, tzinfo=UTC),
    }
    written = ics.write({"results": [shown], "url": "", "ts": 1}, None, pretty=False)
    (event,) = icalendar.Calendar.from_ical(written).walk("VEVENT")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert str(event["UID"]) == "indico-event-1@localhost"


def any_event(title, description="", **more):
    start = datetime(2011, 6, 23, 6, tzinfo=UTC)
    return {
        "_fossil": "conferenceMetadata",
        "id": "1",
        "title": title,
        "description": description,
        "startDate": start,
        "endDate": start,
        "url": "https://indico.server/event/1/",
        "location": title,
        "room": title,
        "category": title,
        "modificationDate": start,
        **more,
    }


def envelope_of(*results):
    return {"results": list(results), "url": "https://indico.server/export/x", "ts": 1}


def as_read(text):
    """What XML has no way to say is left out; line ends are what XML makes of them."""
    return printable(text).replace("\r\n", "\n").replace("\r", "\n")


def test_an_id_with_odd_characters_makes_a_list_and_a_calendar():
    event = {**any_event("title"), "id": "7\ud800\x1b\r\n", "url": "/event/7\ud800\r\n/"}
    shown = fragment_fromstring(html.write(envelope_of(event), None, pretty=False).decode())
    assert shown.xpath(".//li/@data-id") == ["7\r\n"]
    (calendar,) = icalendar.Calendar.from_ical(
        ics.write(envelope_of(event), None, pretty=False)
    ).events
    assert calendar["url"] == "https://indico.server/event/7/"


@given(st.text(), st.text())
def test_any_text_makes_a_feed_that_says_it(title, description):
    feed = etree.fromstring(
        atom.write(envelope_of(any_event(title, description)), None, pretty=False)
    )
    assert (feed.findtext("a:entry/a:title", "", ATOM) or "") == printable(title)
    assert (feed.findtext("a:entry/a:summary", "", ATOM) or "") == printable(description)


@given(st.text())
def test_any_text_makes_a_list_in_html(title):
    written = html.write(envelope_of(any_event(title)), None, pretty=False).decode()
    (shown,) = [fragment_fromstring(written)]
    (name,) = shown.xpath('.//span[contains(@class, "indico_event_tile")]')
    assert as_read(name.text or "") == as_read(title)


@given(st.text(), st.text())
def test_a_calendar_says_any_text(title, description):
    content = ics.write(envelope_of(any_event(title, description)), None, pretty=False)
    (event,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    assert str(event["SUMMARY"]) == as_read(title)
    assert content.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_a_calendar_is_what_rfc_5545_asks_for(planted):
    text = planted.get(f"{PATH}.ics").text
    lines = text.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert {"VERSION:2.0", "PRODID:-//CERN//INDICO//EN"} <= set(lines)
    assert "DTSTART;TZID=Europe/Zurich:20110623T080000" in lines
    (stamp,) = [line for line in lines if line.startswith("DTSTAMP")]
    assert re.fullmatch(r"DTSTAMP:\d{8}T\d{6}Z", stamp)
    assert "STATUS:CONFIRMED" in lines
    for name in ("ORGANIZER", "ATTENDEE", "METHOD"):
        assert not any(line.startswith(name) for line in lines)


@pytest.mark.parametrize(
    ("minutes", "trigger"), [(0, "P0D"), (20, "-PT20M"), (60, "-PT1H"), (90, "-PT1H30M")]
)
def test_a_video_booking_rings_as_long_before_as_asked(minutes, trigger):
    start = datetime(2011, 6, 23, 6, tzinfo=UTC)
    shown = {
        "_fossil": "collaborationMetadata",
        "uniqueId": "a5csbook1",
        "type": "CERNMCU",
        "status": "A",
        "title": "Weekly",
        "startDate": start,
        "endDate": start,
        "location": "CERN",
        "room": "1-1-025",
        "url": "https://indico.server/event/5/",
        "audience": None,
        "modificationDate": start,
    }
    query = {"query_string": f"alarms={minutes}"}
    request = ExportRequest(Request(EnvironBuilder("/export/video/all.ics", **query).get_environ()))
    lines = ics.write(envelope_of(shown), request, pretty=False).decode().split("\r\n")
    assert f"TRIGGER:{trigger}" in lines
    assert "SUMMARY:MCU-A: Weekly" in lines
    assert "CATEGORIES:VideoService - CERNMCU" in lines
    assert "LOCATION:CERN: 1-1-025" in lines
    assert "DESCRIPTION:Event URL: https://indico.server/event/5/" in lines
    assert "UID:indico-collaboration-a5csbook1@indico.server" in lines


@pytest.mark.parametrize(
    ("repeatability", "rule"),
    [
        ("daily", "FREQ=DAILY;UNTIL=20110730T090000Z"),
        ("weekly", "FREQ=WEEKLY;UNTIL=20110730T090000Z;INTERVAL=1"),
        ("everyTwoWeeks", "FREQ=WEEKLY;UNTIL=20110730T090000Z;INTERVAL=2"),
        ("everyThreeWeeks", "FREQ=WEEKLY;UNTIL=20110730T090000Z;INTERVAL=3"),
        ("monthly", "FREQ=MONTHLY;UNTIL=20110730T090000Z;BYDAY=4TH"),
    ],
)
def test_a_reservation_is_its_first_time_with_a_rule(repeatability, rule):
    shown = {
        "_fossil": "reservationMetadata",
        "id": 7,
        "startDT": datetime(2011, 6, 23, 8, tzinfo=UTC),
        "endDT": datetime(2011, 7, 30, 9, tzinfo=UTC),
        "firstEndDT": datetime(2011, 6, 23, 9, tzinfo=UTC),
        "recurrence_weekdays": [],
        **dict.fromkeys(("is_cancelled", "is_rejected", "is_pending"), False),
        "repeatability": repeatability,
        "excludedDays": [],
        "modificationDate": datetime(2011, 6, 1, tzinfo=UTC),
        "timezone": "UTC",
        "location": "CERN",
        "room": {"fullName": "500-1-201 - Mezzanine"},
        "reason": "Weekly, of all",
        "bookingUrl": "https://indico.server/rooms/booking/CERN/7/",
    }
    lines = ics.write(envelope_of(shown), None, pretty=False).decode().split("\r\n")
    assert f"RRULE:{rule}" in lines
    assert {"DTSTART:20110623T080000Z", "DTEND:20110623T090000Z"} <= set(lines)
    assert "LOCATION:CERN: 500-1-201 - Mezzanine" in lines
    assert "SUMMARY:Weekly\\, of all" in lines
    assert "UID:indico-resv-7@indico.server" in lines


def test_objects_that_a_calendar_cannot_show_are_skipped():
    content = ics.write(envelope_of({"_fossil": "categoryMetadata"}, {}), None, pretty=False)
    assert not icalendar.Calendar.from_ical(content).walk("VEVENT")


def test_json_is_written_byte_by_byte_as_documented():
    zurich = datetime(2011, 6, 23, 8, 0, 0, 5, tzinfo=ZoneInfo("Europe/Zurich"))
    body = {
        "message": "a/b",
        "n": None,
        "yes": True,
        "ü": [zurich, zurich.replace(tzinfo=None, microsecond=0)],
    }
    dates = (
        r'[{"date": "2011-06-23", "tz": "Europe\/Zurich", "time": "08:00:00.000005"}, '
        r'{"date": "2011-06-23", "tz": "None", "time": "08:00:00"}]'
    )
    expected = rf'{{"message": "a\/b", "n": null, "yes": true, "\u00fc": {dates}}}'
    assert json.write(body, None, pretty=False).decode() == expected
    assert json.write({"a": [1, {}]}, None, pretty=True) == (
        b'{\n    "a": [\n        1,\n        {}\n    ]\n}'
    )


def test_an_error_is_written_byte_by_byte_as_documented(planted):
    assert planted.get("/export/categ/2.json?n=5000").data == (
        b'{"message": "You can only request up to 1000 records per request with the detail level '
        b'\'events\'", "_type": "HTTPAPIError", "_fossil": "hTTPAPIError"}'
    )


def test_errors_are_pretty_where_their_format_was_asked_for(planted):
    assert planted.get(f"{PATH}.json?detail=x&pretty=yes").text.startswith('{\n    "message"')
    assert planted.get(f"{PATH}.jsonp?detail=x").text.startswith(
        '// fetched from Indico\nread({"message"'
    )
    assert planted.get(f"{PATH}.ics?detail=x&pretty=yes").text.startswith('{"message"')


@pytest.mark.parametrize("name", ["a", "$", "_x1", "jQuery.cb_1", "a.b.c"])
def test_jsonp_takes_the_name_of_any_function(planted, name):
    answer = planted.get(f"/export/event/1.jsonp?jsonp={name}")
    assert answer.content_type == "application/javascript"
    assert answer.text.startswith(f"// fetched from Indico\n{name}(")
    assert answer.text.endswith(");")


@pytest.mark.parametrize("name", ["1a", "a b", "a.", "a[0]", "alert(1)", "é", "a%0a", "a;b"])
def test_jsonp_refuses_what_is_no_name(planted, name):
    answer = planted.get(f"/export/event/1.jsonp?jsonp={name}")
    assert (answer.status_code, answer.json["message"]) == (400, "jsonp must name a function")
