"""Schedules for conference apps, as frab and pentabarf write them.

Covers `export.formats.frab`, `export.formats.pentabarf`, `export.formats.programme`,
`export.resources.schedule`.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from lxml import etree

from export.imports.conference import schedule_xml
from export.imports.node import Node
from export.imports.source import of_answer
from export.model.access import Protection
from export.model.contribution import Contribution
from export.model.material import Link, LocalFile, Material
from export.model.person import ContributionParticipation
from tests.export.planting import at, change

PATH = "/export/event/137346/schedule"
ORDER = ["generator", "version", "conference", "day"]
NEEDED = {
    *("room", "title", "subtitle", "type", "date", "start", "duration", "abstract", "slug"),
    "track",
}
"""The children that the published schema of such schedules demands of an event."""

GUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def night_talk(event):
    talk = Contribution("late_1", "Night & day \x01")
    talk.update(room="Aula", track="Sky", type="lecture", _description="<p>Long</p>")
    talk.speakers = (ContributionParticipation("3", last_name="Ada", shown_as="Ada"),)
    talk.setDates(at(24, 1, 30), at(24, 2, 45))
    talk.duration = timedelta(minutes=75)
    event.addContribution(talk)
    file = LocalFile("0", "slides.pdf", "slides.pdf", "/slides.pdf")
    talk.add_material(Material("links", "Links", (Link("More", "https://example.org/"), file)))
    event.addContribution(Contribution("8", "Some time"))


@pytest.fixture
def programmed(planted, database):
    """A client of an event with a talk in the night, and one without a time."""
    change(database, night_talk)
    return planted


def parsed(client, **headers):
    answer = client.get(f"{PATH}.xml", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/xml; charset=utf-8"
    return etree.fromstring(answer.data)


def test_the_xml_has_the_structure_of_the_published_schema(programmed):
    schedule = parsed(programmed)
    assert [*dict.fromkeys(child.tag for child in schedule)] == ORDER
    assert schedule.findtext("conference/acronym") == "event_137346"
    assert schedule.findtext("conference/days") == "2"
    talks = list(schedule.iterfind("day/room/event"))
    assert len(talks) == 5
    for talk in talks:
        assert {child.tag for child in talk} >= NEEDED
        assert GUID.fullmatch(talk.get("guid"))
        assert int(talk.get("id")) > 0
        assert re.fullmatch("[0-9]{2}:[0-9]{2}", talk.findtext("duration"))
        assert re.search("[+]02:00$", talk.findtext("date"))
    for unique in ("@id", "@guid", "slug/text()"):
        found = schedule.xpath(f"day/room/event/{unique}")
        assert len(set(found)) == len(talks)


def test_a_talk_of_the_night_stands_with_the_evening_before(programmed):
    (first, second) = parsed(programmed).iterfind("day")
    assert first.attrib == {
        "index": "1",
        "date": "2011-06-23",
        "start": "2011-06-23T04:00:00+02:00",
        "end": "2011-06-24T04:00:00+02:00",
    }
    (night,) = first.iterfind("room[@name='Aula']/event")
    assert night.findtext("start") == "01:30"
    assert night.findtext("date") == "2011-06-24T01:30:00+02:00"
    assert [talk.findtext("title") for talk in second.iterfind("room/event")] == ["d2c1", "d2s1c1"]


def talks_of(item):
    draft = item.make()
    assert draft.problems == []
    return draft.event.timezone, {
        talk.getTitle(): (
            *(talk.getStartDate(), talk.getDuration(), talk.getRoom(), talk.track, talk.type),
            *(talk.getDescription(), [who.getFullName() for who in talk.speakers]),
            [link.name for material in talk.materials for link in material.resources],
        )
        for talk in draft.contributions
    }


def test_both_forms_are_read_back_as_the_same_talks(programmed):
    answer = programmed.get(f"{PATH}.json")
    assert answer.content_type == "application/json"
    (from_json,) = of_answer(Node.of(answer.json, ""))
    (from_xml,) = schedule_xml.items(programmed.get(f"{PATH}.xml").data)
    assert talks_of(from_json) == talks_of(from_xml)
    zone, talks = talks_of(from_xml)
    assert zone == "Europe/Zurich"
    assert talks["Night & day "] == (
        *(at(24, 1, 30), timedelta(minutes=75), "Aula", "Sky", "lecture"),
        *("<p>Long</p>", ["Ada"], ["More", "slides.pdf"]),
    )
    assert talks["d2s1c1"][3] == "d2s1"  # the session is the track where there is none


def test_an_app_that_has_the_schedule_is_told_so_until_it_changes(programmed, database):
    etag = programmed.get(f"{PATH}.xml").headers["ETag"]
    assert not etag.startswith("W/")
    again = {"If-None-Match": etag}
    assert programmed.get(f"{PATH}.xml", headers=again).status_code == 304
    change(database, lambda event: event.getContributionById("1").setTitle("Other"))
    assert parsed(programmed, **again).findtext("day/room/event[@id='1']/title") == "Other"


def test_talks_and_events_are_told_to_those_who_may_see_them(programmed, database):
    change(
        database,
        lambda event: event.getContributionById("late_1").setProtection(Protection.RESTRICTED),
    )
    titles = parsed(programmed).xpath("day/room/event/title/text()")
    assert sorted(titles) == ["d1c1", "d1c2", "d2c1", "d2s1c1"]
    assert "example.org/" not in programmed.get(f"{PATH}.json").text.replace("\\/", "/")
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    for kind in ("xml", "json"):
        assert programmed.get(f"{PATH}.{kind}").status_code == 404


def test_an_event_without_talks_has_an_empty_day(planted, database):
    def empty(event):
        for talk in event.getContributionList():
            event.removeContribution(talk)

    change(database, empty)
    (day,) = parsed(planted).iterfind("day")
    assert (day.get("index"), len(day)) == ("1", 0)
    about = planted.get(f"{PATH}.json").json["schedule"]["conference"]
    assert (about["start"], about["end"], about["days"]) == ("2011-06-23", "2011-06-24", [])


def test_ids_that_are_no_numbers_get_one_that_stays(programmed):
    first, second = (
        parsed(programmed).xpath("day/room[@name='Aula']/event/@id")[0] for _ in range(2)
    )
    assert first == second
    assert int(first) >= 2**30
