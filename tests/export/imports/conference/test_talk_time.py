"""When the talks of a schedule take place: what is read, and what is told as it is ambiguous."""

from __future__ import annotations

from datetime import timedelta

import pytest

from export.errors import ImportRefused
from export.imports.conference import schedule_xml
from export.imports.node import Node
from export.imports.source import of_answer

TALK = {"id": 1, "title": "A talk", "start": "10:00", "duration": "00:45"}


def draft_of(*talks, timezone="", **conference):
    days = [{"date": "2026-03-01", "rooms": {"A": [{**TALK, **talk} for talk in talks]}}]
    about = {"acronym": "c", "title": "C", "time_zone_name": "Europe/Berlin", "days": days}
    conference = {key: value for key, value in {**about, **conference}.items() if value is not None}
    (item,) = of_answer(Node.of({"schedule": {"conference": conference}}, ""), timezone)
    return item.make()


@pytest.mark.parametrize(
    ("told", "start"),
    [
        ({}, "2026-03-01T09:00"),
        ({"date": "2026-03-01T10:00:00+01:00"}, "2026-03-01T09:00"),
        ({"date": "2026-03-01T10:00:00"}, "2026-03-01T09:00"),
        ({"date": "2026-03-01T10:00:00Z"}, "2026-03-01T10:00"),
        ({"date": "2026-03-01 10:00:00 +0100"}, "2026-03-01T09:00"),
        ({"date": "2026-03-01T10:00:00.000+01:00"}, "2026-03-01T09:00"),
        ({"date": "Sun, 01 Mar 2026 10:00:00 +0100"}, "2026-03-01T09:00"),
        ({"date": "2026-03-02"}, "2026-03-02T09:00"),
        ({"start": "9:30"}, "2026-03-01T08:30"),
        ({"start": "10:00:00"}, "2026-03-01T09:00"),
        ({"start": "1:30 PM"}, "2026-03-01T12:30"),
        ({"start": "12:15 am"}, "2026-03-01T23:15"),
        ({"start": "00:30"}, "2026-03-01T23:30"),
    ],
)
def test_a_date_is_read_in_the_forms_that_schedules_have(told, start):
    draft = draft_of(told)
    assert draft.problems == []
    assert f"{draft.contributions[0].getStartDate():%Y-%m-%dT%H:%M}" == start


@pytest.mark.parametrize(
    "told",
    [
        {"date": "01.03.2026"},
        {"date": "03/01/2026"},
        {"date": "2026-W09-7"},
        {"date": "20260301"},
        {"date": "1772355600"},
        {"date": 1772355600},
        {"date": "2026-02-30"},
        {"date": "2026-03-01", "start": ""},
        {"date": "2026-03-01T00:00:00+01:00"},
        {"date": "2026-03-01T11:00:00+01:00"},
        {"start": "930"},
        {"start": "10"},
        {"start": "13:00 PM"},
        {"start": "24:30"},
        {"start": ""},
    ],
)
def test_a_date_in_another_form_is_told_and_the_talk_left_out(told):
    draft = draft_of({"id": 2}, told)
    (problem,) = draft.problems
    assert problem.startswith("schedule.conference.days[0].rooms.A[1]")
    assert [one.getId() for one in draft.contributions] == ["2"]


@pytest.mark.parametrize(
    ("told", "minutes"),
    [
        *(("00:45", 45), ("1:30", 90), ("01:30:00", 90), ("00:00:30", 0.5), ("1:30:00", 90)),
        *(("PT45M", 45), ("PT1H30M", 90), ("P1DT2H", 1560), ("24:00", 1440)),
    ],
)
def test_a_duration_is_read_in_the_forms_that_schedules_have(told, minutes):
    draft = draft_of({"duration": told})
    assert draft.problems == []
    assert draft.contributions[0].getDuration() == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "told", ["45", 45, "1:00:00", "00:90", "45 min", "1h30", "", None, "-0:30", "P", "PT", "9" * 9]
)
def test_a_duration_that_may_be_another_is_told_and_the_talk_left_out(told):
    draft = draft_of({"id": 2}, {"duration": told})
    (problem,) = draft.problems
    assert "duration is" in problem
    assert [one.getId() for one in draft.contributions] == ["2"]


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Berlin", "Europe/Berlin"),
        ("Eastern Time (US & Canada)", "America/New_York"),
        ("Kyiv", "Europe/Kyiv"),
        ("New Delhi", "Asia/Kolkata"),
        ("W. Europe Standard Time", "Europe/Berlin"),
    ],
)
def test_a_zone_may_have_the_name_that_another_program_has_for_it(name, zone):
    draft = draft_of({}, time_zone_name=name)
    assert (draft.problems, draft.notes) == ([], [])
    assert draft.event.timezone == zone


def test_an_unknown_zone_is_noted_where_each_time_has_its_offset():
    draft = draft_of({"date": "2026-03-01T10:00:00+01:00"}, time_zone_name="Mars")
    assert draft.problems == []
    assert "no zone 'Mars'" in draft.notes[0]
    assert f"{draft.contributions[0].getStartDate():%H:%M}" == "09:00"


@pytest.mark.parametrize("name", [None, "", "Mars"])
def test_a_schedule_without_zone_and_offsets_is_refused_until_one_is_given(name):
    with pytest.raises(ImportRefused, match="no time zone is given; give one with --timezone"):
        draft_of({}, time_zone_name=name)
    draft = draft_of({}, time_zone_name=name, timezone="Europe/Berlin")
    assert draft.event.timezone == "Europe/Berlin"
    assert f"{draft.contributions[0].getStartDate():%H:%M}" == "09:00"


XML = """<schedule><conference><acronym>m</acronym><title>M</title>
<time_zone_name>Europe/Berlin</time_zone_name></conference><day date="2025-12-27"><room name="A">
{}</room></day></schedule>"""
EVENT = """<event guid="{guid}" id="79"><start>{start}</start><duration>01:00</duration>
<title>Waffles</title>{more}</event>"""


def draft_of_xml(*events):
    (item,) = schedule_xml.items(XML.format("".join(events)).encode())
    return item.make()


def test_a_talk_in_several_slots_is_a_contribution_for_each():
    slots = [
        EVENT.format(guid=guid, start=start, more="")
        for guid, start in (("g1", "10:00"), ("g2", "15:00"), ("g3", "20:00"))
    ]
    draft = draft_of_xml(*slots)
    assert draft.problems == []
    assert [f"{one.getStartDate():%H}" for one in draft.contributions] == ["09", "14", "19"]
    assert draft.contributions[0].getId() == "79"
    assert len({one.getId() for one in draft.contributions}) == 3
    again = draft_of_xml(slots[0], slots[2], slots[1])
    assert {one.getId() for one in again.contributions} == {
        one.getId() for one in draft.contributions
    }


def test_a_talk_that_is_listed_twice_is_told():
    slot = EVENT.format(guid="g", start="10:00", more="")
    draft = draft_of_xml(slot, slot)
    assert draft.problems == ["line 4: two talks have the id 79"]
    assert len(draft.contributions) == 1


@pytest.mark.parametrize("flag", [{"public": False}, {"is_private": True}, {"published": "no"}])
def test_a_talk_that_is_not_public_is_closed(flag):
    draft = draft_of({}, {"id": 2, **flag})
    assert [one.isProtected() for one in draft.contributions] == [False, True]


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("<link>http://www.example.org/one</link>", "http://www.example.org/one"),
        ('<link href="https://example.org/">More</link>', "https://example.org/"),
    ],
)
def test_a_link_may_be_its_address_alone(link, address):
    draft = draft_of_xml(EVENT.format(guid="g", start="10:00", more=f"<links>{link}</links>"))
    assert draft.problems == []
    ((material,),) = [one.materials for one in draft.contributions]
    assert [one.url for one in material.resources] == [address]


@pytest.mark.parametrize(
    "link", ["<link/>", "<link>a word</link>", '<link href="javascript:alert(1)">x</link>']
)
def test_a_link_without_an_address_is_told_and_left_out_alone(link):
    draft = draft_of_xml(EVENT.format(guid="g", start="10:00", more=f"<links>{link}</links>"))
    assert len(draft.problems) == 1
    assert [one.materials for one in draft.contributions] == [()]
