"""Records as documents of plain data."""

from __future__ import annotations

from datetime import UTC, datetime

from livesync.records import document
from livesync.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED
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
