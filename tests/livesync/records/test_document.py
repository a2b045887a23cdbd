"""Records as documents of plain data."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from export.model.catalogue import Catalogue
from export.model.conference import Conference as Event
from livesync.records.document import document, json_bytes
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED
from tests.livesync.stand_ins import Category, Conference


def test_a_document_tells_of_an_object_what_it_has():
    event = Conference("1", Category("c"), title="Talks & <more>\x0b")
    event.start = datetime(2026, 3, 1, 9, tzinfo=UTC)

    assert document((event, "1", STATUS_CHANGED | STATUS_CREATED)) == {
        "id": "1",
        "status": "created",
        "type": "event",
        "title": "Talks & <more>\x0b",
        "startDate": "2026-03-01T09:00:00+00:00",
    }


def test_of_a_deleted_object_only_the_id_is_told():
    assert document((None, "1", STATUS_CHANGED | STATUS_DELETED)) == {
        "id": "1",
        "status": "deleted",
    }


def test_a_document_of_the_catalogue_has_its_address_and_keywords():
    event = Event("1", "Talks")
    Catalogue().add_event(event)
    event.update(keywords=("one", "tw\ud800"))
    told = document((event, "1", STATUS_CREATED))

    assert told["url"] == "/event/1/"
    assert told["keywords"] == ["one", "tw\ufffd"]


@given(st.text(st.integers(0, 0x10FFFF).map(chr)))
def test_a_document_is_well_formed_json_whatever_its_title(title):
    told = document((Conference("1", Category("c"), title), "1", STATUS_CREATED))
    again = json.loads(json_bytes(told).decode())

    assert again["title"] == title.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
