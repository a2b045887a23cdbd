"""The first time of a calendar's event, and the zone it is in.

Covers `export.imports.calendar.series`, `export.imports.calendar.zones`.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from export.errors import ImportRefused
from export.imports.calendar import events
from export.imports.draft import Noted

ZONE = """BEGIN:VTIMEZONE
TZID:Mine
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{0}
TZOFFSETTO:{0}
END:STANDARD
END:VTIMEZONE
"""


def calendar(*events, head=""):
    texts = ["\n".join(["BEGIN:VEVENT", "UID:a", *one, "END:VEVENT\n"]) for one in events]
    head = f"{head}\n" if head and not head.endswith("\n") else head
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{head}{''.join(texts)}END:VCALENDAR\n"


def read(text, **options):
    """The events of *text* that go in, and what is told and noted."""
    made, told, noted = [], [], []
    for item in events.items(text.encode(), **options):
        try:
            draft = item.make()
        except Noted as note:
            noted.append(str(note))
        except ImportRefused as problem:
            told.append(str(problem))
        else:
            made.append(draft.event)
            told += draft.problems
            noted += draft.notes
    return made, told, noted


def first_time(*events, **how):
    made, told, _ = read(calendar(*(("SUMMARY:x", *one) for one in events), **how))
    assert told == []
    (event,) = made
    return f"{event.getStartDate():%Y-%m-%dT%H:%M}", f"{event.getEndDate():%Y-%m-%dT%H:%M}"


MASTER = ("DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3")
MOVED = ("RECURRENCE-ID:20260601T090000Z", "DTSTART:20260602T110000Z", "DURATION:PT2H")


@pytest.mark.parametrize(
    ("events", "first"),
    [
        ([MASTER], "2026-06-01T09:00"),
        ([(*MASTER, "EXDATE:20260601T090000Z")], "2026-06-08T09:00"),
        ([(*MASTER, "EXDATE;VALUE=DATE:20260601,20260608")], "2026-06-15T09:00"),
        ([(*MASTER, "EXDATE;TZID=Asia/Tokyo:20260601T180000")], "2026-06-08T09:00"),
        ([MASTER, MOVED], "2026-06-02T11:00"),
        ([MOVED, MASTER], "2026-06-02T11:00"),
        ([MASTER, (*MOVED, "STATUS:CANCELLED")], "2026-06-08T09:00"),
        ([MASTER, (*MOVED[:1], "DTSTART:20260620T110000Z")], "2026-06-08T09:00"),
        ([(*MASTER, "RDATE:20260501T090000Z")], "2026-05-01T09:00"),
        ([(*MASTER, "RDATE;VALUE=PERIOD:20260501T090000Z/PT3H")], "2026-05-01T09:00"),
        ([MOVED], "2026-06-02T11:00"),
        (
            [MOVED, ("RECURRENCE-ID:20260608T090000Z", "DTSTART:20260525T090000Z")],
            "2026-05-25T09:00",
        ),
        ([("DTSTART:20260601T090000Z", "RRULE:")], "2026-06-01T09:00"),
        (
            [
                ("DTSTART:20260603T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO"),
            ],
            "2026-06-03T09:00",
        ),
        (
            [
                (*MASTER, "EXDATE:20260601T090000Z"),
                (
                    "RECURRENCE-ID;RANGE=THISANDFUTURE:20260601T090000Z",
                    "DTSTART:20260601T100000Z",
                ),
            ],
            "2026-06-08T10:00",
        ),
        (
            [
                ("SEQUENCE:1", *MASTER),
                ("SEQUENCE:3", "DTSTART:20260701T090000Z"),
                ("SEQUENCE:2", "DTSTART:20260501T090000Z"),
            ],
            "2026-07-01T09:00",
        ),
        (
            [
                MASTER,
                ("SEQUENCE:2", *MOVED[:1], "DTSTART:20260603T110000Z"),
                ("SEQUENCE:1", *MOVED),
            ],
            "2026-06-03T11:00",
        ),
    ],
)
def test_the_first_time_that_takes_place_goes_in(events, first):
    assert first_time(*events)[0] == first


@pytest.mark.parametrize(
    "events",
    [
        [("DTSTART:20260601T090000Z", "EXDATE:20260601T090000Z")],
        [("DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY;UNTIL=20260501T000000Z")],
        [("DTSTART:20260601T090000Z",), (*MOVED, "STATUS:CANCELLED")],
        [(*MOVED, "STATUS:CANCELLED")],
        [("DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY;COUNT=1", "EXDATE:20260601T090000Z")],
        [
            (
                "DTSTART:20260601T090000Z",
                "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
                "EXDATE:20260601T090000Z",
            )
        ],
    ],
)
def test_an_event_with_no_time_left_is_told_and_left_out(events):
    made, told, _ = read(calendar(*(("SUMMARY:x", *one) for one in events)))
    assert made == []
    assert told == ["line 3: no time of the event takes place"]


def test_the_event_of_a_calendar_that_cancels_is_cancelled():
    ((made,), told, _) = read(calendar(("SUMMARY:x", *MASTER), head="METHOD:CANCEL"))
    assert (made.status, told) == ("cancelled", [])


@pytest.mark.parametrize("sequence", [0, 1])
def test_an_event_that_a_later_calendar_cancels_is_so_with_its_own_words(sequence):
    lines = ("SUMMARY:x", "DTSTART:20260601T090000Z", f"SEQUENCE:{sequence}")
    text = calendar(("SUMMARY:x", *MASTER)) + calendar(lines[1:], head="METHOD:CANCEL")
    ((made,), told, _) = read(text)
    assert told == []
    assert (made.status, made.getTitle()) == ("cancelled", "x")


def test_an_event_that_is_there_twice_has_the_id_of_one():
    lines = ("SUMMARY:x", "DTSTART:20260601T090000Z")
    ((once,), _, _), ((twice,), _, _) = (read(calendar(*[lines] * count)) for count in (1, 2))
    assert once.getId() == twice.getId()


def test_a_cancelled_time_of_a_cancelling_calendar_is_none():
    text = calendar(("SUMMARY:x", *MASTER)) + calendar(
        ("SUMMARY:x", "RECURRENCE-ID:20260601T090000Z", "DTSTART:20260601T090000Z"),
        head="METHOD:CANCEL",
    )
    ((made,), told, _) = read(text)
    assert told == []
    assert made.getStartDate().isoformat() == "2026-06-08T09:00:00+00:00"


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (
            ["DTSTART;TZID=Europe/Berlin:20140427T080000Z", "DURATION:PT1H"],
            "2014-04-27T08:00",
            "2014-04-27T09:00",
        ),
        (
            ["DTSTART;TZID=W. Europe Standard Time:20260601T150000", "DURATION:PT1H"],
            "2026-06-01T13:00",
            "2026-06-01T14:00",
        ),
        (
            ["DTSTART;TZID=/example.org/2026/Europe/Berlin:20260601T150000", "DURATION:PT1H"],
            "2026-06-01T13:00",
            "2026-06-01T14:00",
        ),
        (
            ["DTSTART;TZID=Europe/Vienna;VALUE=DATE:20251029"],
            "2025-10-28T23:00",
            "2025-10-29T22:59",
        ),
        (
            ["DTSTART;TZID=Europe/Vienna:20251029", "DTEND;TZID=Europe/Vienna:20251029"],
            "2025-10-28T23:00",
            "2025-10-29T22:59",
        ),
        (
            ["DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"],
            "2026-03-28T11:00",
            "2026-03-29T10:00",
        ),
        (
            ["DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:PT24H"],
            "2026-03-28T11:00",
            "2026-03-29T11:00",
        ),
        (
            ["DTSTART;TZID=Europe/Berlin:20261024T120000", "DURATION:P1DT1H"],
            "2026-10-24T10:00",
            "2026-10-25T12:00",
        ),
        (
            ["DTSTART;TZID=Europe/Berlin;VALUE=DATE:20260329", "DURATION:P2D"],
            "2026-03-28T23:00",
            "2026-03-30T21:59",
        ),
    ],
)
def test_a_time_is_in_its_own_zone(lines, start, end):
    assert first_time(lines) == (start, end)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("W. Europe Standard Time", "2026-06-01T13:00"),
        ("Europe/Berlin", "2026-06-01T13:00"),
        ("Eastern Time (US & Canada)", "2026-06-01T19:00"),
    ],
)
def test_a_floating_time_is_in_the_zone_of_its_calendar(name, start):
    assert first_time(["DTSTART:20260601T150000"], head=f"X-WR-TIMEZONE:{name}")[0] == start


def test_calendars_of_one_file_have_zones_of_their_own():
    times = ("UID:a", "UID:b", "UID:c")
    text = "".join(
        calendar(
            ("SUMMARY:x", "DTSTART;TZID=Mine:20260601T150000"),
            ("SUMMARY:y", "DTSTART:20260601T150000"),
            ("SUMMARY:z", "DTSTART;VALUE=DATE:20260601"),
            head=f"X-WR-TIMEZONE:Mine\n{ZONE.format(offset)}",
        ).replace("UID:a", uid)
        for uid, offset in zip(times, ("+0300", "-0500", "+0030"), strict=True)
    )
    made, told, _ = read(text)
    assert told == []
    assert [f"{one.getStartDate():%H:%M}" for one in made] == [
        *("12:00", "12:00", "21:00", "20:00", "20:00", "05:00", "14:30", "14:30", "23:30")
    ]


@pytest.mark.parametrize(
    ("line", "zone"),
    [
        ("DTSTART;TZID=Europe/Zurich:20260601T100000", "Europe/Zurich"),
        ("DTSTART;TZID=Tokyo Standard Time:20260601T100000", "Asia/Tokyo"),
        ("DTSTART:20260601T100000Z", "America/New_York"),
        ("DTSTART:20260601T100000", "America/New_York"),
        ("DTSTART;VALUE=DATE:20260601", "America/New_York"),
    ],
)
def test_the_zone_of_an_event_is_that_of_its_start(line, zone):
    ((made,), _, _) = read(calendar(("SUMMARY:x", line), head="X-WR-TIMEZONE:America/New_York"))
    assert made.timezone == zone


def test_a_zone_that_is_assumed_is_told_and_can_be_given():
    text = calendar(("SUMMARY:x", "DTSTART:20260601T150000"))
    ((made,), told, noted) = read(text)
    assert told == []
    assert "line 1: the calendar's times have no zone; they are taken for UTC" in noted[0]
    assert made.getStartDate() == datetime.fromisoformat("2026-06-01T15:00:00Z")
    ((made,), told, noted) = read(text, timezone="Europe/Berlin")
    assert (told, noted) == ([], [])
    assert made.getStartDate() == datetime.fromisoformat("2026-06-01T13:00:00Z")
    assert made.timezone == "Europe/Berlin"


def test_a_zone_that_nobody_knows_is_told_and_the_event_left_out():
    made, told, _ = read(
        calendar(("SUMMARY:x", "DTSTART:20260601T150000"), head="X-WR-TIMEZONE:Mars")
    )
    assert made == []
    assert told == ["line 4: DTSTART is in an unknown zone"]


def test_a_rule_that_cannot_be_read_is_told_and_the_event_goes_in():
    lines = ("SUMMARY:x", "DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY;INTERVAL=0")
    ((made,), told, _) = read(calendar(lines))
    assert told == ["line 3: RRULE cannot be read: the INTERVAL is not positive"]
    assert made.getStartDate().isoformat() == "2026-06-01T09:00:00+00:00"


def test_a_line_of_an_unfolded_text_is_told():
    lines = ("SUMMARY:x", "Join here: https://meet.example/x", "DTSTART:20260601T100000Z")
    ((made,), told, _) = read(calendar(lines))
    assert made.getTitle() == "x"
    (problem,) = told
    assert problem.startswith("line 6: no property: 'Join here:")


def test_properties_that_are_not_taken_over_are_counted():
    lines = ("SUMMARY:x", "DTSTART:20260601T100000Z", "ATTENDEE:mailto:a@example.org", "COMMENT:x")
    _, told, noted = read(calendar((*lines, "ATTENDEE:mailto:b@example.org", "X-A:1")))
    assert told == []
    assert noted == ["line 1: not taken over from events: 2 ATTENDEE, 1 COMMENT"]
