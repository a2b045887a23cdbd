"""Calendars: every event goes in, and what is wrong is told by its line.

Covers `export.imports.calendar.lines`, `export.imports.draft`.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import icalendar
import pytest
import ZODB
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from export.app import make_app
from export.errors import ImportRefused
from export.imports.calendar import events
from export.imports.loader import load
from export.imports.source import ImportOptions, items_of
from export.model.catalogue import catalogue
from scheduler.store import transact
from tests.export.planting import get
from tests.places import ROOT

MOCA = Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared/data")) / "moca2024_schedule.ics"

FEED = """BEGIN:VCALENDAR
VERSION:2.0
X-WR-TIMEZONE:Europe/Zurich
BEGIN:VTIMEZONE
TZID:Mine
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0300
TZOFFSETTO:+0300
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:indico-event-77@example.org
DTSTART:20260301T090000
DURATION:PT1H30M
SUMMARY:Zürich\\, tea
 time
LOCATION:Aula
DESCRIPTION:First\\nSecond
URL:https://example.org/77
CATEGORIES:tea,cake
ORGANIZER;CN="Berg: Ada":MAILTO:ada@example.org
BEGIN:VALARM
ACTION:DISPLAY
SUMMARY:Ring
END:VALARM
END:VEVENT
"""
END = "END:VCALENDAR\n"


def event(*lines):
    return "\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])


GOOD = ("UID:9", "DTSTART:20260301T090000Z", "SUMMARY:Nine")


def drafts(text):
    """What becomes of the events of *text* that go in, and what is told."""
    made, told = [], []
    for item in events.items(text.encode() if isinstance(text, str) else text):
        try:
            draft = item.make()
        except ImportRefused as problem:
            told.append(str(problem))
            continue
        made.append(draft.event)
        told += [*draft.problems, *draft.notes]
    return made, [one for one in told if "not taken over" not in one]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_event_has_what_its_properties_say(newline):
    ((made,), told) = drafts((FEED + END).replace("\n", newline))
    assert told == []
    assert made.getTitle() == "Zürich, teatime"
    assert made.getStartDate() == datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert made.getEndDate() == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    assert made.getDescription() == "First\nSecond"
    assert (made.getLocation(), made.getURL()) == ("Aula", "https://example.org/77")
    assert (made.getKeywords(), made.timezone) == (["tea", "cake"], "Europe/Zurich")
    (chair,) = made.getChairList()
    assert (chair.getFullName(), chair.getEmail()) == ("Berg: Ada", "ada@example.org")
    assert not made.isProtected()


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (["DTSTART:20260301T090000Z"], "2026-03-01T09:00", "2026-03-01T09:00"),
        (["DTSTART;TZID=Mine:20260301T090000"], "2026-03-01T06:00", "2026-03-01T06:00"),
        (
            ["DTSTART;TZID=Asia/Tokyo:20260301T090000", "DTEND:20260301T010000Z"],
            "2026-03-01T00:00",
            "2026-03-01T01:00",
        ),
        (["DTSTART;VALUE=DATE:20260301"], "2026-02-28T23:00", "2026-03-01T22:59"),
        (
            ["DTSTART;VALUE=DATE:20260301", "DTEND;VALUE=DATE:20260303"],
            "2026-02-28T23:00",
            "2026-03-02T22:59",
        ),
    ],
)
def test_times_are_those_of_their_zone(lines, start, end):
    (_, made), told = drafts(FEED + event("UID:9", "SUMMARY:Nine", *lines) + END)
    assert told == []
    assert made.getStartDate() == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert made.getEndDate() == datetime.fromisoformat(end).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("STATUS:CANCELLED", "cancelled"),
        ("STATUS:tentative", "tentative"),
        ("STATUS:CONFIRMED", "confirmed"),
        ("STATUS:SOMETHING", "confirmed"),
        ("CLASS:PUBLIC", "confirmed"),
    ],
)
def test_the_status_of_an_event_is_taken_over(line, status):
    (_, made), told = drafts(FEED + event(*GOOD, line) + END)
    assert (made.status, told) == (status, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (event("DTSTART:20260301T090000Z", "SUMMARY:x"), "line 28: the event has no UID"),
        (event("UID:9", "SUMMARY:x"), "line 28: the event has no DTSTART"),
        (event("UID:9", "DTSTART:20260301T090000Z"), "line 28: the event has no SUMMARY"),
        (event("UID:9", "DTSTART:soon", "SUMMARY:x"), "line 28: DTSTART cannot be read"),
        (
            event("UID:9", "DTSTART;TZID=Mars:20260301T090000", "SUMMARY:x"),
            "line 28: DTSTART is in an unknown zone",
        ),
        (event("UID:9", "DTSTART;VALUE=TIME:090000", "SUMMARY:x"), "line 28: DTSTART is no date"),
        (event(*GOOD, "DTEND:20260228T090000Z"), "line 28: the end (2026-02-28"),
        ("BEGIN:VTODO\nUID:1\nEND:VTODO\n", "line 28: VTODO is no event"),
        ("BEGIN:VEVENT\nUID:9\n", "line 28: BEGIN:VEVENT has no END"),
        ("END:VEVENT\n", "line 28: END:VEVENT has no BEGIN"),
        ("VTIMEZONE: Europe/Rome\n", "line 28: VTIMEZONE is no property"),
    ],
)
def test_an_event_that_cannot_go_in_is_told_by_its_line(text, told):
    made, problems = drafts(FEED + text + END)
    assert len(made) == 1
    assert problems[0].startswith(told)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "line 32: no property: 'nonsense'; the line is left out"),
        ("GEO:here", "line 28: GEO cannot be read"),
        ("CREATED:once", "line 28: CREATED cannot be read"),
        ("RRULE:FREQ=DAILY", "line 28: the event recurs"),
        ("DESCRIPTION:" + "long " * 20, "line 32: 1 lines from here on are longer"),
    ],
)
def test_an_event_goes_in_without_its_bad_part_which_is_told(line, told):
    made, problems = drafts(FEED + event(*GOOD, line) + END)
    assert [one.getTitle() for one in made] == ["Zürich, teatime", "Nine"]
    (problem,) = problems
    assert problem.startswith(told)


def test_of_a_property_that_is_there_twice_the_first_counts():
    (_, made), told = drafts(FEED + event(*GOOD, "DTSTART:20270301T090000Z", "SUMMARY:Ten") + END)
    assert told == []
    assert made.getTitle() == "Nine"
    assert made.getStartDate() == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_line_that_is_not_text_is_left_out():
    feed = (FEED + event(*GOOD, "COMMENT:X")).encode().replace(b"COMMENT:X", b"COMMENT:\xff")
    made, problems = drafts(feed + END.encode())
    assert (len(made), problems) == (2, ["line 32: not UTF-8; the line is left out"])


def test_events_that_are_not_public_are_seen_by_nobody_unknown():
    (_, made), _ = drafts(FEED + event(*GOOD, "CLASS:CONFIDENTIAL") + END)
    assert made.isProtected()


def test_events_that_share_a_uid_get_ids_of_their_own_wherever_they_stand():
    others = [event(*GOOD), event("UID:9", "DTSTART:20260302T090000Z", "SUMMARY:Ten")]
    forward, told = drafts(FEED + "".join(others) + END)
    backward, _ = drafts(FEED + "".join(reversed(others)) + END)
    assert len({one.getId() for one in forward}) == 3
    assert {one.getId() for one in forward} == {one.getId() for one in backward}
    (note,) = told
    assert note == "line 28: the UID 9 is that of 2 events; each goes in with an id of its own"


def test_an_event_that_is_there_twice_goes_in_once():
    made, told = drafts(FEED + event(*GOOD) * 2 + END)
    assert len(made) == 2
    assert told[-1] == "line 33: the event is that of line 28 again"


def test_calendars_of_the_export_can_be_read_again_where_their_domain_is_the_own(planted, tmp_path):
    saved = tmp_path / "saved.ics"
    saved.write_bytes(planted.get("/export/event/137346.ics").data)
    with contextlib.closing(ZODB.DB(None)) as copy:
        done = list(
            load(copy, items_of(saved, ImportOptions(domain="indico.server")), category="2")
        )
        assert [one.problems for one in done] == [[]]
        (shown,) = get(Client(make_app(copy)), "/export/event/137346.json")
    assert (shown["title"], shown["categoryId"]) == ("Export Test", "2")
    assert shown["startDate"] == {"date": "2011-06-23", "time": "06:00:00", "tz": "UTC"}


@pytest.mark.skipif(not MOCA.exists(), reason="needs the feed with real defects")
def test_a_real_feed_with_defects_goes_in_with_each_defect_told(database):
    done = list(load(database, items_of(MOCA)))
    told = (sentence for one in done for sentence in (*one.problems, *one.notes))
    problems = [sentence.partition(": ")[2] for sentence in told]
    assert transact(database, lambda c: len(catalogue(c).events)) == 88
    assert "line 4: VTIMEZONE is no property; the line is left out" in problems
    assert sum("the UID 46939 is that of 67 events" in problem for problem in problems) == 1
    assert all(problem.startswith("line ") for problem in problems)


LINES = st.sampled_from((FEED + event(*GOOD) + END).splitlines()) | st.text(max_size=20)


@given(st.lists(LINES, max_size=40))
def test_any_lines_are_read_or_told(lines):
    with contextlib.suppress(ImportRefused):
        drafts("BEGIN:VCALENDAR\n" + "\n".join(lines))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told(content):
    drafts(FEED.encode() + content)


def test_the_feed_of_these_tests_is_a_calendar():
    assert len(icalendar.Calendar.from_ical(FEED + END).walk("VEVENT")) == 1
