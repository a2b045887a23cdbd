"""Detail `sessions` of Indico 3, addresses that nobody should follow, and who is named.

Covers `export.imports.indico.people`, `export.imports.links`.
"""

from __future__ import annotations

import json

import pytest

from export.imports.loader import load
from export.imports.source import items_of
from export.model.catalogue import catalogue
from scheduler.store import transact
from tests.export.imports.indico.test_visibility import answer_with, contribution, slot
from tests.export.planting import get

SUPPORT = {"caption": "Contact", "email": "contact@example.com", "telephone": "+41 22"}
EMMY = {
    **{"id": 4, "title": "Prof.", "first_name": "Emmy", "last_name": "Noether", "db_id": 1},
    **{"firstName": "Emmy", "familyName": "Noether", "fullName": "Noether, Emmy"},
}
PLENARY = {"id": "1", "title": "Plenary", "color": "#eee0ef", "description": "All together"}


@pytest.fixture
def imported(database, client, tmp_path):
    """What imports an event with these parts, and returns problems and the event's answer."""

    def imported(parts, detail="sessions"):
        file = tmp_path / "answer.json"
        file.write_text(json.dumps(answer_with(parts)))
        problems = [one for done in load(database, items_of(file)) for one in done.problems]
        (event,) = get(client, f"/export/event/4.json?detail={detail}")
        return [one.partition(": ")[2] for one in problems], event

    return imported


BLOCKS = {
    "sessions": [
        slot(2, PLENARY, contribution(1), slotTitle="Opening", conveners=[EMMY]),
        slot(3, PLENARY, slotTitle="Closing", conference={"supportInfo": SUPPORT}),
        slot(6, {"id": "4", "title": "Closed session"}, contribution(2)),
    ]
}


def test_a_session_has_the_id_of_the_session_and_its_blocks_are_its_slots(imported, database):
    problems, event = imported(BLOCKS)
    assert problems == []
    assert [one["session"]["id"] for one in event["sessions"]] == ["1", "1", "4"]
    assert [one["title"] for one in event["sessions"]] == [
        *("Plenary: Opening", "Plenary: Closing", "Closed session")
    ]
    assert [one["numSlots"] for one in event["sessions"]] == [2, 2, 1]
    ids = transact(database, lambda c: list(catalogue(c).event("4").sessions))
    assert ids == ["1", "4"]


def test_the_session_of_a_contribution_is_found_by_its_id(imported, client):
    imported(BLOCKS)
    slots = get(client, "/export/event/4/session/1.json")
    assert [one["slotTitle"] for one in slots] == ["Opening", "Closing"]
    assert [one["id"] for one in slots[0]["contributions"]] == ["1"]


def test_whom_to_ask_and_the_titles_of_conveners_are_kept(imported):
    _, event = imported(BLOCKS)
    first = event["sessions"][0]
    told = first["conference"]["supportInfo"]
    assert {key: told[key] for key in SUPPORT} == SUPPORT
    (convener,) = first["conveners"]
    assert {key: convener[key] for key in ("title", "fullName", "name")} == {
        **{"title": "Prof.", "fullName": "Noether, Emmy", "name": "Prof. Emmy Noether"}
    }


BAD = (
    *("javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "data:text/html,x"),
    *("vbscript:x", "http:///a", "http://[", "http://a b/", "//evil.example.org\\x", "nonsense"),
    *("java\nscript:alert(1)", "https://example.org/\r\nX: y", "file:///etc/passwd"),
)


@pytest.mark.parametrize("address", BAD)
def test_an_address_that_nobody_should_follow_is_told_and_left_out(imported, client, address):
    link = {"_type": "Link", "name": "a link", "url": address}
    file = {"id": 1, "title": "f", "type": "link", "link_url": address, "download_url": address}
    parts = {
        "url": address,
        "roomMapURL": address,
        "note": {"html": "x", "url": address},
        "references": [{"type": "x", "value": "1", "url": address}],
        "material": [{"id": "1", "title": "m", "resources": [link]}],
        "folders": [{"id": 2, "title": "f", "attachments": [file]}],
        "contributions": [contribution(1, url=address)],
    }
    problems, _ = imported(parts)
    assert len(problems) == 8
    assert all("is no web address" in problem for problem in problems)
    for kind in ("json", "jsonp", "xml", "html", "ics", "atom"):
        text = client.get(f"/export/event/4.{kind}?detail=contributions").text
        assert address.strip() not in text.replace("\\/", "/")
        assert "script:" not in text.lower()


@pytest.mark.parametrize(
    "address",
    [
        *("https://example.org/a?b=c&d=e#f", "http://example.org:8080/", "ftp://example.org/x"),
        *("/event/4/", "https://münchen.example/ä", "mailto:jane@example.org"),
    ],
)
def test_an_address_that_leads_somewhere_is_kept(imported, address):
    problems, event = imported({"url": address}, "events")
    assert problems == []
    assert event["url"].endswith(address) or "://" not in address


def test_a_user_of_the_source_without_an_address_is_nobody_here(imported, database):
    imported({"contributions": [contribution(1, allowed={"users": ["1", "root"], "groups": []})]})

    def look(connection):
        talk = catalogue(connection).event("4").contributions["1"]
        return talk.isProtected(), talk.canAccess("1"), talk.canAccess("root")

    assert transact(database, look) == (True, False, False)
