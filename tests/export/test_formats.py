"""What each format makes of the event of reference 5.3.2."""

from __future__ import annotations

from datetime import UTC, datetime

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml.html import fragment_fromstring

from export.formats import ics, xml
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


def test_atom_has_an_entry_for_each_event(planted, database):
    change(database, lambda event: event.setDescription("<p>About</p>"))
    feed = tree(planted, f"{PATH}.atom")
    (entry,) = feed.findall("a:entry", ATOM)
    assert feed.findtext("a:title", namespaces=ATOM) == "Indico Feed"
    assert feed.findtext("a:id", namespaces=ATOM) == f"https://indico.server{PATH}.atom"
    assert entry.findtext("a:title", namespaces=ATOM) == "Export Test"
    assert entry.findtext("a:summary", namespaces=ATOM) == "<p>About</p>"
    assert entry.findtext("a:updated", namespaces=ATOM) == "2011-06-23T06:00:00Z"


def test_a_calendar_has_the_event_in_utc(planted, database):
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
    assert str(first["DESCRIPTION"]).startswith("Speakers: Byron, Ada (London)\n")
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
    }
    written = ics.write({"results": [shown], "url": ""}, None, pretty=False)
    (event,) = icalendar.Calendar.from_ical(written).walk("VEVENT")
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    assert str(event["UID"]) == "indico-event-1@cern.ch"
