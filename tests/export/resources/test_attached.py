"""What belongs to parts of an event: attachments, notes, and all of a subcontribution.

Covers `export.resources.attached`.
"""

from __future__ import annotations

import pytest

from export.model.access import Protection
from export.model.contribution import SubContribution
from export.model.entry import own_all
from export.model.material import Attachment, Folder, Link, Material
from tests.export.planting import change, error, get

NOTE = {"html": "<p>Decided.</p>", "modified_dt": "2011-06-24T12:00:00+00:00", "user": 7}


def folders(owner):
    agenda = Attachment(1, "Agenda", "link", link_url="https://example.org/agenda")
    secret = Attachment(2, "Secret", "link", link_url="https://example.org/secret")
    secret.setProtection(Protection.RESTRICTED)
    loose = Folder(1, None, default_folder=True, attachments=(agenda, secret))
    slides = Attachment(3, "Slides", "file", download_url="https://example.org/slides.pdf")
    return own_all(owner, (loose, Folder(2, "Talks", attachments=(slides,))))


def attach(event):
    talk = event.getContributionById("1")
    sub = SubContribution("5", "Part")
    talk.addSubContribution(sub)
    sub.update(note=NOTE, code="A-1")
    sub.add_material(Material("more", "More", (Link("There", "https://example.org/"),)))
    for part in (event, event.sessions["0"], talk, sub):
        part.update(folders=folders(part), note=NOTE)


@pytest.fixture
def attached(planted, database):
    """A client of an event whose parts have attachments and notes."""
    change(database, attach)
    return planted


@pytest.mark.parametrize("part", ["", "/session/0", "/contribution/1", "/contribution/1/5"])
def test_each_part_has_attachments_and_a_note(attached, part):
    shown = get(attached, f"/export/attachments/137346{part}.json")
    assert [one["title"] for one in shown["attachments"]] == ["Agenda"]
    assert [one["title"] for one in shown["folders"]] == ["Talks"]
    (slides,) = shown["folders"][0]["attachments"]
    assert slides["download_url"] == "https://example.org/slides.pdf"
    assert get(attached, f"/export/note/137346{part}.json") == NOTE


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("note/137346/contribution/2", "No such note"),
        ("note/137346/contribution/9", "No such contribution"),
        ("attachments/137346/contribution/1/9", "No such subcontribution"),
        ("attachments/137346/session/9", "No such session"),
        ("attachments/1", "No such event"),
    ],
)
def test_what_is_not_there_is_told(attached, path, told):
    assert error(attached, f"/export/{path}.json") == (404, told)


def test_a_closed_part_is_not_there(attached, database):
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    for kind in ("attachments", "note"):
        assert error(attached, f"/export/{kind}/137346.json") == (404, "No such event")


def test_a_subcontribution_has_its_material_note_and_code(attached):
    (event,) = get(attached, "/export/event/137346.json?detail=subcontributions")
    (sub,) = [one for talk in event["contributions"] for one in talk["subContributions"]]
    assert (sub["code"], sub["note"]) == ("A-1", NOTE)
    assert sub["material"][0]["resources"][0]["url"] == "https://example.org/"
    assert [folder["title"] for folder in sub["folders"]] == [None, "Talks"]
