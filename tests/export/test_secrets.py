"""Nothing that somebody may not know is in the bytes of any answer, of any resource and format."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from itertools import product

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.tokens import SCOPES, tokens
from export.errors import UnknownResource
from export.resources import BUILT_IN
from scheduler.store import open_database, transact
from tests.export.addresses import MATERIALS, PATCHED, READ, TABLE, WRITE, address_of, addresses
from tests.export.planting_secrets import (
    CALLERS,
    KNOWN_TO,
    MANAGER,
    READER,
    ROOM_USER,
    STRANGER,
    plant_secrets,
    schedule_a_room,
)

HUSH = re.compile(rb"hush-[a-z]+(?:-[a-z]+)*", re.IGNORECASE)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A client of a database full of secrets, with the token of each caller."""
    database = open_database(f"file://{tmp_path_factory.mktemp('secrets')}/data.fs")
    transact(database, plant_secrets)

    def give(connection):
        found = tokens(connection)
        return {user: found.create(user, "all", SCOPES)[1] for user in CALLERS if user}

    credentials = {
        user: {"Authorization": f"Bearer {token}"}
        for user, token in transact(database, give).items()
    }
    app = make_app(database, {"base_url": "https://indico.server"})
    client = Client(app)
    schedule_a_room(client, credentials[ROOM_USER])
    yield client, {None: {}, **credentials}
    app.close()
    database.close()


@pytest.fixture(scope="module")
def walk(served):
    """What gives the secrets that a caller finds at each address there is; each asked once."""
    client, credentials = served

    @cache
    def find(user):
        return {
            address: found_in(client.get(address, headers=credentials[user], buffered=True))
            for address in addresses(READ)
        }

    return find


def found_in(answer):
    assert answer.status_code < 500, answer.text
    unfolded = answer.get_data().replace(b"\r\n ", b"")  # as calendars fold their lines
    headers = str(answer.headers).encode()
    return {word.decode().lower() for word in HUSH.findall(unfolded + b" " + headers)}


def leaked(words, user):
    return {word for word in words if not word.startswith(KNOWN_TO[user])}


@pytest.mark.parametrize("user", CALLERS)
def test_nobody_reads_what_they_may_not_know(walk, user):
    told = {address: leaked(words, user) for address, words in walk(user).items()}
    assert {address: words for address, words in told.items() if words} == {}


@pytest.mark.parametrize("user", [user for user in CALLERS if user != MANAGER])
def test_nobody_is_told_by_what_they_may_not_do(served, user):
    client, credentials = served
    for path, kind in product(WRITE, ["json", "xml"]):
        address = address_of(path, kind)
        for more in ({}, {"secret": "x", "is_paid": "yes", "location": "CERN", "roomid": "120"}):
            sent = {"json": more} if "/v3/" in address else {"data": more}
            answer = client.post(address, headers=credentials[user], **sent)
            assert not leaked(found_in(answer), user), address
    for address in PATCHED:
        answer = client.patch(address, headers=credentials[user], json={"checked_in": True})
        assert not leaked(found_in(answer), user), address


SHOWN_TO_READERS = {
    f"hush-reader-{name}"
    for name in (
        *("event-title", "event-description", "event-room", "event-address", "chair", "keyword"),
        *(
            "talk-note",
            "talk-title",
            "inside-title",
            "part-title",
            "session-title",
            "slot-title",
            "convener",
        ),
        *("break-title", "category-title", "talk-folder", "talk-attachment", "talk-link"),
        *(
            "closedevent-content",
            "video-title",
            "session-material",
            "part",
            "part-content",
            "organizer",
        ),
    )
}
SHOWN_TO_MANAGERS = {
    f"hush-manager-{name}"
    for name in (
        *("chair", "closedchair", "speaker", "convener", "part", "allowed"),
        *("registrant", "surname", "phone", "checkin"),
    )
}


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (READER, SHOWN_TO_READERS),
        (MANAGER, SHOWN_TO_READERS | SHOWN_TO_MANAGERS),
        (ROOM_USER, {"hush-rooms-reason", "hush-rooms-person", "hush-rooms-schedule"}),
    ],
)
def test_everybody_reads_what_is_meant_for_them(walk, user, shown):
    assert shown <= set().union(*walk(user).values())


@pytest.mark.parametrize("path", MATERIALS)
def test_a_closed_file_is_read_by_those_who_may_and_nobody_else(served, path):
    client, credentials = served

    def status(user):
        return client.get(f"{path}.bin", headers=credentials[user], buffered=True).status_code

    statuses = {user: status(user) for user in CALLERS}
    assert statuses[MANAGER] == 200
    assert statuses[None] == statuses[STRANGER] == 403


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda resource: resource.name)
def test_every_address_is_walked(resource):
    paths = {"GET": READ, "PATCH": PATCHED}.get(resource.method, WRITE)
    addresses = (each for path in paths for each in (path, f"{path}.{resource.formats[0]}"))
    assert any(resource is resource_at(each, resource.method) for each in addresses), (
        "add an address of this resource to READ, WRITE or PATCHED"
    )


def resource_at(address, method):
    """Return the resource at *address*, or None."""
    with suppress(UnknownResource):
        return TABLE.find(address, method)[0]
