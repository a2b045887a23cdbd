"""Files and users (reference 5.3.6, 5.3.7).

Covers `export.fossils.user`, `export.model.material`, `export.resources.user`,
`export.resources.user_events`.
"""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.api_keys import key_ring
from export.errors import CatalogueException
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.contribution import SubContribution
from export.model.material import Link, LocalFile, Material, Slides
from export.model.person import Creator
from export.model.registration import RegistrationForm
from export.people.group import Group
from export.people.user import Avatar, users
from scheduler.store import open_database, transact
from tests.export.planting import change, error, get, plant

FILES = "/export/event/137346"


@pytest.fixture
def stored(tmp_path):
    """A database that can keep files, with the event of reference 5.3.2 and its files."""
    database = open_database(f"file://{tmp_path}/data.fs")
    transact(database, plant)
    change(database, add_files)
    yield database
    database.close()


def add_files(event):
    slides = Slides("slides", "Slides", (LocalFile.store("3", "a.pdf", b"%PDF-"),))
    event.contributions["3"].add_material(slides)
    page = LocalFile.store("0", "page.html", b"<script>")
    event.add_material(Material("2", "Notes", (page, Link("More", "https://example.org/"))))
    event.sessions["0"].add_material(Material("0", "Plan", (LocalFile.store("0", "x", b"plan"),)))
    part = SubContribution("1", "A part")
    event.contributions["0"].addSubContribution(part)
    part.add_material(Material("0", "Part", (LocalFile.store("0", "y.txt", b"part"),)))


@pytest.fixture
def files(stored):
    return Client(make_app(stored, {"base_url": "https://indico.server", "api_mode": "KEY"}))


@pytest.mark.parametrize(
    ("path", "content", "kind", "disposition"),
    [
        ("contrib/3/material/slides/3", b"%PDF-", "application/pdf", "inline; filename=a.pdf"),
        ("session/0/contrib/3/material/Slides/3", b"%PDF-", "application/pdf", None),
        ("material/2/0", b"<script>", "text/html", "attachment; filename=page.html"),
        ("session/0/material/0/0", b"plan", "application/octet-stream", "attachment; filename=x"),
        ("contrib/0/subcontrib/1/material/0/0", b"part", "text/plain", None),
    ],
)
def test_a_file_is_answered_as_it_is(files, path, content, kind, disposition):
    answer = files.get(f"{FILES}/{path}.bin", buffered=True)
    assert (answer.status_code, answer.data, answer.content_type) == (200, content, kind)
    assert answer.content_length == len(content)
    assert answer.last_modified is not None
    if disposition:
        assert answer.headers["Content-Disposition"] == disposition


@pytest.mark.parametrize(
    ("asked", "status", "content", "part"),
    [
        ("bytes=1-3", 206, b"PDF", "bytes 1-3/5"),
        ("bytes=-2", 206, b"F-", "bytes 3-4/5"),
        ("bytes=3-99", 206, b"F-", "bytes 3-4/5"),
        ("lines=1-2", 200, b"%PDF-", None),
        ("bytes=9-1", 200, b"%PDF-", None),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(files, asked, status, content, part):
    answer = files.get(
        f"{FILES}/contrib/3/material/slides/3.bin", headers={"Range": asked}, buffered=True
    )
    assert (answer.status_code, answer.data) == (status, content)
    assert answer.headers.get("Content-Range") == part


def test_a_part_that_the_file_does_not_have_is_refused(files):
    answer = files.get(
        f"{FILES}/contrib/3/material/slides/3.bin", headers={"Range": "bytes=5-"}, buffered=True
    )
    assert (answer.status_code, answer.json["message"]) == (416, "The file has 5 bytes")
    assert answer.headers["Content-Range"] == "bytes */5"


def test_a_file_that_has_not_changed_is_not_sent_again(files):
    path = f"{FILES}/contrib/3/material/slides/3.bin"
    modified = files.get(path, buffered=True).headers["Last-Modified"]
    answer = files.get(path, headers={"If-Modified-Since": modified}, buffered=True)
    assert (answer.status_code, answer.data) == (304, b"")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\r\nX-Bad: 1.pdf", 'inline; filename="a__X-Bad_ 1.pdf"'),
        ("../../etc/passwd", "attachment; filename=.._.._etc_passwd"),
        ("\u202egpj.exe", "attachment; filename=_gpj.exe"),
        ("a\x00.html", "attachment; filename=a_.html"),
        ("", "attachment; filename=file"),
        (
            "Zürich 日.txt",
            "inline; filename=\"Z_rich _.txt\"; filename*=UTF-8''Z%C3%BCrich%20%E6%97%A5.txt",
        ),
        ("\ud83d.png", "inline; filename=_.png"),
    ],
    ids=ascii,
)
def test_a_name_leads_neither_out_of_the_header_nor_out_of_a_folder(files, stored, name, shown):
    file = LocalFile.store("0", name, b"content")
    change(stored, lambda event: event.add_material(Material("9", "Odd", (file,))))
    answer = files.get(f"{FILES}/material/9/0.bin", buffered=True)
    assert answer.data == b"content"
    assert "X-Bad" not in answer.headers
    assert answer.headers["Content-Disposition"] == shown


def test_the_head_of_a_file_tells_its_size(files):
    answer = files.head(f"{FILES}/contrib/3/material/slides/3.bin", buffered=True)
    assert (answer.status_code, answer.data, answer.content_length) == (200, b"", 5)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("material/2/7", "File not found"),
        ("material/9/0", "File not found"),
        ("contrib/9/material/slides/3", "File not found"),
        ("session/1/contrib/3/material/slides/3", "File not found"),
        ("contrib/0/subcontrib/9/material/0/0", "File not found"),
        ("contrib/9/subcontrib/1/material/0/0", "File not found"),
        ("material/2/1", "Resource is not a file"),
    ],
)
def test_an_address_without_a_file_is_not_found(files, path, message):
    assert error(files, f"{FILES}/{path}.bin") == (404, message)
    assert error(files, "/export/event/1/material/2/0.bin") == (404, "File not found")


def test_the_address_that_an_answer_gives_is_where_the_file_is(files):
    (event,) = get(files, f"{FILES}.json?detail=contributions")
    addresses = [
        resource["url"]
        for holder in (event, *event["contributions"])
        for material in holder["material"]
        for resource in material["resources"]
        if resource["_fossil"] == "localFileMetadata"
    ]
    assert addresses == [
        "https://indico.server/export/event/137346/material/2/0.bin",
        "https://indico.server/export/event/137346/contrib/3/material/slides/3.bin",
    ]
    for address in addresses:
        assert (
            files.get(address.removeprefix("https://indico.server"), buffered=True).status_code
            == 200
        )


def test_a_protected_file_is_for_those_who_may_see_it(files, stored):
    def protect(event):
        event.contributions["3"].setProtection(Protection.RESTRICTED)
        event.contributions["3"].grant_access("ann")

    change(stored, protect)
    address = f"{FILES}/contrib/3/material/slides/3.bin"
    assert error(files, address) == (403, "Access to this resource is restricted.")
    key = transact(stored, lambda connection: key_ring(connection).create("ann").key)
    assert files.get(f"{address}?ak={key}", buffered=True).data == b"%PDF-"


def test_material_is_added_once_and_can_be_removed(files, stored):
    def work(event):
        with pytest.raises(CatalogueException, match="already"):
            event.add_material(Material("2", "Again"))
        event.remove_material(event.find_material("2"))

    change(stored, work)
    assert error(files, f"{FILES}/material/2/0.bin")[0] == 404


@pytest.fixture
def people(planted, database):
    """The keys of a user, of an administrator and of somebody else."""

    def add(connection):
        user = Avatar("36024", "Alberto", "Resco Perez", "test@cern.ch")
        user.affiliation, user.phone, user.favorites = "CERN", "+41XXXXXXXXXX", ("2",)
        users(connection).add(user)
        users(connection).add(Avatar("1", "Ann"))
        catalogue(connection).root.grant_modification("1")
        keys = key_ring(connection)
        return {name: keys.create(name).key for name in ("36024", "1", "2")}

    return transact(database, add)


def test_a_user_is_answered_to_themselves_and_to_administrators(planted, people):
    for name in ("36024", "1"):
        (shown,) = get(planted, f"/export/user/36024.json?ak={people[name]}")
        assert shown == {
            "_type": "Avatar",
            "name": "Alberto RESCO PEREZ",
            "firstName": "Alberto",
            "affiliation": "CERN",
            "familyName": "Resco Perez",
            "email": "test@cern.ch",
            "phone": "+41XXXXXXXXXX",
            "fax": "",
            "address": "",
            "_fossil": "avatar",
            "title": "",
            "id": "36024",
        }


def test_a_user_is_not_answered_to_anybody_else(planted, people):
    assert error(planted, "/export/user/36024.json") == (403, "You need to be logged in")
    assert error(planted, f"/export/user/36024.json?ak={people['2']}") == (
        403,
        "You do not have access to that info",
    )
    assert error(planted, f"/export/user/9.json?ak={people['1']}") == (
        404,
        "Requested user not found",
    )


@pytest.mark.parametrize("address", ["/export/user/9.json", "/export/user/categ_events.json"])
def test_guests_are_not_told_what_else_is_wrong(planted, address):
    assert error(planted, f"{address}?limit=abc")[0] == 403


def test_a_user_has_the_events_of_favourite_and_managed_categories(planted, people):
    address = "/export/user/categ_events.json"
    (shown,) = get(planted, f"{address}?ak={people['36024']}&tz=Europe/Zurich")
    assert shown == {
        "_type": "Conference",
        "_fossil": "basicConferenceMetadata",
        "id": "137346",
        "title": "Export Test",
        "type": "meeting",
        "startDate": {"date": "2011-06-23", "time": "08:00:00", "tz": "Europe/Zurich"},
        "endDate": {"date": "2011-06-24", "time": "18:00:00", "tz": "Europe/Zurich"},
        "category": "TEST Category",
        "categoryId": "2",
        "url": "https://indico.server/event/137346/",
    }
    assert get(planted, f"{address}?ak={people['36024']}&from=2012-01-01") == []
    assert len(get(planted, f"{address}?ak={people['1']}&userid=36024")) == 1
    assert len(get(planted, f"{address}?ak={people['1']}")) == 1
    assert error(planted, address) == (403, "Guest access to this resource is forbidden.")
    assert error(planted, f"{address}?ak={people['36024']}&uid=1") == (403, "Access denied")
    assert error(planted, f"{address}?ak={people['1']}&uid=7") == (404, "Avatar does not exist")


def test_a_user_has_the_events_with_a_role_for_them(planted, database, people):
    def link(event):
        event.update(creator=Creator("36024"), registration=RegistrationForm())
        event.registration.registrars |= {"36024"}
        event.grant_modification("36024")
        event.grant_access("36024")

    address = f"/export/user/linked_events.json?ak={people['36024']}"
    assert get(planted, address) == []
    change(database, link)
    (shown,) = get(planted, address)
    assert shown["id"] == "137346"
    assert sorted(shown["roles"]) == [
        "conference_access",
        "conference_creator",
        "conference_manager",
        "conference_registrar",
    ]
    assert len(get(planted, f"{address}&from=2011-06-23")) == 1
    assert get(planted, f"{address}&from=2011-06-24") == []
    assert get(planted, f"/export/user/linked_events.json?ak={people['1']}") == []


def test_a_creator_of_an_imported_event_is_known_by_the_address_alone(planted, database, people):
    address = f"/export/user/linked_events.json?ak={people['36024']}"

    def bring_in(event, email):
        event.origin = "//elsewhere.example.org/event/1"
        event.creator = Creator("36024" if email != "test@cern.ch" else "7", email=email)

    change(database, lambda event: bring_in(event, "somebody@example.org"))
    assert get(planted, address) == []
    change(database, lambda event: bring_in(event, "test@cern.ch"))
    (shown,) = get(planted, address)
    assert shown["roles"] == ["conference_creator"]


def test_a_role_can_be_that_of_a_group(planted, database, people):
    def link(event):
        staff = Group("staff")
        staff.add("36024")
        event.grant_modification(staff)

    change(database, link)
    (shown,) = get(planted, f"/export/user/linked_events.json?ak={people['36024']}")
    assert shown["roles"] == ["conference_manager"]


def test_ids_and_logins_of_users_are_taken_once(planted, people, database):
    def work(connection):
        found = users(connection)
        found.add(Avatar("5", login="bob"))
        for user in (Avatar("5"), Avatar("6", login="bob")):
            with pytest.raises(CatalogueException, match="already"):
                found.add(user)
        assert found.find_by_login("bob").id == "5"
        found.remove(found.find("5"))
        assert (found.find("5"), found.find_by_login("bob")) == (None, None)

    transact(database, work)
