"""What MARCXML tells of the catalogue's objects, to whom, and whatever their texts.

Covers `export.model.person`, `export.model.plain_text`, `livesync.records.marc.field`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pymarc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.model.access import Protection
from export.model.catalogue import Catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from export.model.material import Link, LocalFile, Material
from export.model.person import Person
from livesync.records.marcxml import NOT_IN_XML, collection
from livesync.records.reduction import STATUS_CHANGED, STATUS_DELETED
from tests.livesync.marc_reading import marc, read

START = datetime(2026, 3, 1, 9, 30, 59, tzinfo=UTC)
ANYTHING = st.text(st.integers(0, 0x10FFFF).map(chr), max_size=12)


def school(text="A word", email="chair@example.org"):
    """Return an event, its contribution and that one's part, all of them full of *text*."""
    event = Conference("1", text, text)
    Catalogue().add_event(event)
    person = Person("p", text, text, text, email)
    event.update(chairs=(person,), keywords=(text,), location=text, room=text, address=text)
    event.setDates(START, START + timedelta(days=1))
    files = (Link(text, f"/{text}"), LocalFile("7", text, text, "/file"))
    event.add_material(Material("slides", text, files))
    talk = Contribution("2", text, text)
    talk.update(
        primary_authors=(person,), speakers=(person,), track=text, duration=timedelta(minutes=90)
    )
    talk.setDates(START, START + timedelta(minutes=90))
    event.addContribution(talk)
    part = SubContribution("3", text, text)
    part.update(speakers=(person,), duration=timedelta(minutes=5))
    talk.addSubContribution(part)
    return event, talk, part


def records(objects):
    return [(obj, obj.getUniqueId(), STATUS_CHANGED) for obj in objects]


@given(ANYTHING, ANYTHING)
def test_every_record_is_valid_and_read_whatever_its_texts(text, gone):
    found = marc(*records(school(text)), (None, gone, STATUS_DELETED))

    assert len(found) == 4
    title = NOT_IN_XML.sub(" ", text)
    assert [record["245"].get_subfields("a") for record in found[:3]] == [[title]] * 3
    assert found[3]["970"]["a"] == f"INDICO.{NOT_IN_XML.sub(' ', gone)}"


def tags(record):
    return [
        field.tag + (field.indicator1 + field.indicator2).replace(" ", "_")
        for field in record.get_fields()
    ]


def test_the_fields_of_an_event_are_in_their_order():
    (record,) = marc(*records(school()[:1]))

    assert tags(record) == [
        *("245__", "111__", "650_7", "518__", "520__", "6531_", "65027", "906__"),
        *("8564_", "5060_", "8564_", "5060_"),
        *("859__", "961__", "961__", "980__", "970__", "8564_", "5060_"),
    ]
    assert record["111"].get_subfields("c", "9", "z", "g") == [
        *("A word, A word, A word", "2026-03-01T09:30:00Z", "2026-03-02T09:30:00Z", "1")
    ]
    assert record["906"].get_subfields("p", "u") == ["A word A word", "A word"]
    assert record["859"]["f"] == "chair@example.org"


def test_the_fields_of_a_contribution_are_in_their_order():
    _, record, _ = marc(*records(school()))

    assert tags(record) == [
        *("035__", "035__", "245__", "300__", "111__", "961__", "650_7", "518__", "520__"),
        *("61124", "6531_", "65017", "100__", "962__", "970__", "980__", "8564_", "8564_", "5060_"),
    ]
    assert record["518"].get_subfields("r", "d", "h") == [
        *("A word", "2026-03-01T09:30:00Z", "2026-03-01T11:00:00Z")
    ]
    assert record["100"].get_subfields("e") == ["Primary Author", "Speaker"]


def test_a_part_has_the_authors_of_its_contribution_and_its_own_speakers():
    *_, part = school()
    part.update(speakers=(Person("q", "Emmy", "Noether"),))
    (record,) = marc(*records([part]))

    assert record["100"].get_subfields("a", "e") == ["A word A word", "Primary Author"]
    assert record["700"].get_subfields("a", "e") == ["Noether Emmy", "Speaker"]
    assert record["518"].get_subfields("r", "d", "h") == ["A word", "2026-03-01T09:30:00Z"]
    assert record["300"]["a"] == "0:05:00"
    assert "961" not in record


def test_files_and_links_are_told_with_who_may_see_them():
    event, *_ = school()
    (record,) = marc(*records([event]))
    link, file, _ = record.get_fields("856")

    assert link.get_subfields("u", "3", "x", "z", "y") == [
        *("/A word", "INDICO.1mslides.0", "resource", "external", "A word")
    ]
    assert file.get_subfields("u", "3", "y", "z", "x") == [
        *("/file", "INDICO.1mslides.7", "A word", "stored", "resource")
    ]
    assert [field["3"] for field in record.get_fields("506")[:2]] == [link["3"], file["3"]]


def test_a_file_that_not_everybody_may_see_is_left_out():
    event, *_ = school()
    event.materials[0].setProtection(Protection.RESTRICTED)
    event.materials[0].grant_access("ann")

    assert len(marc(*records([event]))[0].get_fields("856")) == 1
    (record,) = marc(*records([event]), access="ann")
    assert len(record.get_fields("856")) == 3
    assert record["506"].get_subfields("d", "f", "3") == ["ann", "username", "INDICO.1mslides.0"]


@pytest.mark.parametrize("close", ["protection", "domain"])
def test_of_what_is_restricted_nothing_private_is_told_but_to_those_who_may_see_it(close):
    objects = school("SECRET")
    event = objects[0]
    if close == "domain":
        event.require_domain("cern.ch")
    else:
        event.setProtection(Protection.RESTRICTED)
    event.grant_access("ann")
    event.grant_modification("zoe")

    told = collection(records(objects))
    assert "SECRET" not in told
    assert "chair@" not in told
    for record in read(told):
        assert record["980"]["a"] == "INDICOSEARCH.PRIVATE"
        assert record["506"].get_subfields("d", "f") == ["ann", "zoe", "username"]
        assert record["970"]["a"].startswith("INDICO.1")
    seen = collection(records(objects), access="ann")
    assert "SECRET" in seen
    assert "chair@" not in seen
    assert "chair@" in collection(records(objects), access="zoe")


def test_a_public_contribution_does_not_tell_of_its_closed_event():
    event, talk, part = school("SECRET")
    event.setProtection(Protection.RESTRICTED)
    event.update(location=None, room=None, address=None)
    talk.setProtection(Protection.PUBLIC)
    for obj in (talk, part):
        obj.setTitle("Public")
        obj.setDescription("Public")
    talk.update(
        track="Public", primary_authors=(), speakers=(), location="Public", keywords=("Public",)
    )
    part.update(speakers=())

    assert "SECRET" not in collection(records([talk, part]))


def test_a_restricted_object_that_nobody_is_named_for_is_not_taken_for_public():
    event, *_ = school()
    event.setProtection(Protection.RESTRICTED)
    (record,) = marc(*records([event]))

    assert record["506"].indicators == pymarc.Indicators("1", " ")
    assert record["506"].get_subfields("d") == []
