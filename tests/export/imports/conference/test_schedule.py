"""Schedules of frab, pentabarf and pretalx: one event, and a contribution for each talk.

Covers `export.imports.conference.schedule_xml`.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.errors import ImportRefused
from export.imports.conference import schedule_xml
from export.imports.loader import load
from export.imports.node import Node
from export.imports.source import items_of, of_answer
from tests.export.planting import get
from tests.places import ROOT

CAMP = (
    Path(os.environ.get("SHARED_DATA", ROOT.parent / "shared/data"))
    / "ccc_camp2019_frab_schedule.json"
)

TALK = {
    "id": 7,
    "date": "2026-03-02T00:30:00+01:00",
    "start": "00:30",
    "duration": "01:15",
    "room": "Aula",
    "title": "Night",
    "subtitle": "and day",
    "abstract": "Short.",
    "description": "Long.",
    "track": "Sky",
    "type": "lecture",
    "url": "talks/7.html",
    "persons": [{"id": 3, "public_name": "Ada"}],
    "links": [{"url": "https://example.org/", "title": "More"}],
    "attachments": [{"url": "slides.pdf", "title": ""}],
}


def schedule(*talks, **conference):
    days = [{"index": 1, "date": "2026-03-01", "rooms": {"Aula": list(talks)}}]
    about = {"acronym": "camp-26", "title": "Camp", "time_zone_name": "Europe/Berlin"}
    return {
        "schedule": {
            "base_url": "https://example.org/26/",
            "conference": {**about, "days": days, **conference},
        }
    }


XML = """<?xml version="1.0"?>
<schedule>
<conference><acronym>camp-26</acronym><title>Camp</title>
<base_url>https://example.org/26/</base_url><time_zone_name>Europe/Berlin</time_zone_name>
</conference>
<day index="1" date="2026-03-01"><room name="Aula">
<event id="7" guid="g"><start>00:30</start><duration>01:15</duration><room>Aula</room>
<title>Night</title><subtitle>and day</subtitle><abstract>Short.</abstract>
<description>Long.</description><track>Sky</track><type>lecture</type><url>talks/7.html</url>
<persons><person id="3">Ada</person></persons>
<links><link href="https://example.org/">More</link></links>
<attachments><attachment href="slides.pdf"/></attachments>
</event>
</room></day></schedule>"""


def draft_of(answer):
    (item,) = of_answer(Node.of(answer, ""))
    return item.make()


def draft_of_xml(text):
    (item,) = schedule_xml.items(text.encode())
    return item.make()


@pytest.mark.parametrize(
    "draft", [draft_of(schedule(TALK)), draft_of_xml(XML)], ids=["json", "xml"]
)
def test_a_talk_is_a_contribution_of_the_one_event(draft):
    assert draft.problems == []
    event, (talk,) = draft.event, draft.contributions
    start = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    assert (event.getId(), event.getTitle(), event.timezone) == ("camp_26", "Camp", "Europe/Berlin")
    assert (event.getStartDate(), event.getEndDate()) == (start, start + timedelta(minutes=75))
    assert (talk.getId(), talk.getTitle(), talk.getRoom()) == ("7", "Night", "Aula")
    assert (talk.getStartDate(), talk.getDuration()) == (start, timedelta(minutes=75))
    assert talk.getDescription() == "and day\n\nShort.\n\nLong."
    assert (talk.track, talk.type) == ("Sky", "lecture")
    assert talk.url == "https://example.org/26/talks/7.html"
    assert [who.getFullName() for who in talk.speakers] == ["Ada"]
    assert [
        (link.name, link.url) for material in talk.materials for link in material.resources
    ] == [
        ("More", "https://example.org/"),
        ("slides.pdf", "https://example.org/26/slides.pdf"),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": None}, "title is None"),
        ({"date": "soon"}, "has no start that can be read: 'soon'"),
        ({"date": None, "start": "25:00"}, "has no start that can be read: '2026-03-01 25:00'"),
        ({"duration": "long"}, "duration is 'long'; it must be as 00:45"),
        ({"persons": [{}]}, "persons[0] has no public_name"),
        ({"id": 8}, "two talks have the id 8"),
    ],
)
def test_a_talk_that_is_bad_is_told_by_its_place_and_left_out(change, told):
    draft = draft_of(schedule({**TALK, "id": 8}, {**TALK, **change}, 3, TALK))
    here = "schedule.conference.days[0].rooms.Aula"
    bad, no_talk = draft.problems
    assert bad.startswith(f"{here}[1]")
    assert told in bad
    assert no_talk.startswith(f"{here}[2] is 3")
    assert [talk.getId() for talk in draft.contributions] == ["8", "7"]


def test_a_talk_in_xml_is_told_by_its_line():
    draft = draft_of_xml(XML.replace("01:15", "long"))
    assert draft.problems == ["line 7.duration is 'long'; it must be as 00:45"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<schedule>", "line 1: no XML"),
        ("<rss/>", "line 1: no <schedule>"),
        ('<!DOCTYPE s [<!ENTITY e "x">]><schedule>&e;</schedule>', "no <schedule>"),
    ],
)
def test_other_xml_is_refused(text, told):
    with pytest.raises(ImportRefused, match=told):
        draft_of_xml(text)


def test_an_event_without_talks_has_its_own_dates():
    event = draft_of(schedule(start="2026-03-01", end="2026-03-02")).event
    assert event.getStartDate() == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert event.getEndDate() == datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"schedule": 3}, "schedule is 3"),
        ({"schedule": {}}, "conference is"),
        (schedule(start="soon"), "start is no date: soon"),
        (schedule(days=3), "days is 3"),
    ],
)
def test_a_schedule_without_its_frame_is_refused(answer, told):
    with pytest.raises(ImportRefused, match=told):
        draft_of(answer)


@pytest.mark.skipif(not CAMP.exists(), reason="needs a real schedule")
def test_a_real_schedule_goes_in_whole(database, client):
    assert [done.problems for done in load(database, items_of(CAMP))] == [[]]
    (event,) = get(client, "/export/event/Camp2019.json?detail=contributions&tz=Europe/Berlin")
    talks = {talk["id"]: talk for talk in event["contributions"]}
    days = json.loads(CAMP.read_bytes())["schedule"]["conference"]["days"]
    listed = [talk for day in days for room in day["rooms"].values() for talk in room]
    assert len(talks) == len(listed) == 79
    for wanted in listed:
        shown = talks[str(wanted["id"])]
        assert shown["title"] == wanted["title"]
        assert shown["startDate"]["date"] == wanted["date"][:10]
        assert shown["startDate"]["time"][:5] == wanted["start"]
        assert shown["room"] == wanted["room"]
        assert [who["fullName"] for who in shown["speakers"]] == [
            who["public_name"] for who in wanted["persons"]
        ]


@given(st.sampled_from(sorted(TALK)), st.none() | st.integers() | st.text() | st.lists(st.none()))
def test_a_talk_with_anything_in_it_is_read_or_told(key, value):
    draft_of(schedule({**TALK, key: value}))


@given(st.integers(0, len(XML)), st.text(max_size=10))
def test_xml_with_anything_in_it_is_read_or_told(place, text):
    with contextlib.suppress(ImportRefused):
        draft_of_xml(XML[:place] + text + XML[place:])
