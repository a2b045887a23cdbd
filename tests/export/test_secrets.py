"""Nothing that somebody may not know is in the bytes of any answer, of any resource and format."""

from __future__ import annotations

import re
from functools import cache
from itertools import product

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.formats import FORMATS
from export.keys import key_ring
from export.resources import ROUTES
from scheduler.store import open_database, transact
from tests.export.planting_secrets import (
    CALLERS,
    KNOWN_TO,
    MANAGER,
    READER,
    ROOM_USER,
    STRANGER,
    plant_secrets,
)

EVENT = "/export/event/137346"
CLOSED = "/export/event/555"
MATERIALS = [
    f"{EVENT}/material/closed/0",
    f"{EVENT}/contrib/0/material/closed/0",
    f"{EVENT}/contrib/1/subcontrib/1/material/closed/0",
    f"{EVENT}/session/0/material/closed/0",
    f"{CLOSED}/material/closed/0",
]
READ = [
    "/export/timetable/137346-555-556-557",
    "/export/timetable/555",
    "/export/event/search/hush",
    "/export/event/search/open",
    f"{EVENT}-555-556-557",
    CLOSED,
    "/export/categ/0-2-3-4-favorites",
    f"{EVENT}/session/0-1",
    f"{CLOSED}/session/0",
    f"{EVENT}/contribution/0-1-2-3-9-10",
    f"{CLOSED}/contribution/0",
    *MATERIALS,
    f"{EVENT}/registrants",
    f"{EVENT}/registrant/0",
    f"{CLOSED}/registrants",
    "/export/user/36024",
    "/export/user/categ_events",
    "/export/room/CERN/120",
    "/export/roomName/CERN/Mezzanine",
    "/export/reservation/CERN",
    "/export/video/all-vidyo-mcu-webcast-recording",
    "/api/v3/schedule/1",
    "/api/v3/schedule/conflict",
    "/api/user/",
    "/api/session",
]
WRITE_IN_FORMATS = [
    "/api/roomBooking/bookRoom",
    "/api/event/137346/registrant/0/pay",
    "/api/event/137346/registrant/0/checkin",
    "/api/event/555/registrant/0/pay",
]
WRITE = [
    *WRITE_IN_FORMATS,
    *("/api/login", "/api/logout"),
    *("/api/v3/schedule", "/api/v3/schedule/1/edit"),
]
DETAILS = [
    *("events", "contributions", "subcontributions", "sessions"),
    *("basic", "full", "rooms", "reservations", "basic_events"),
]
HUSH = re.compile(rb"hush-[a-z]+(?:-[a-z]+)*", re.IGNORECASE)


def addresses(paths):
    """The paths in every format that they have, in every detail."""
    for path, kind in product(paths, [*FORMATS, "bin"]):
        address = address_of(path, kind)
        if any(has(route, address, kind) for route in ROUTES):
            yield from (f"{address}?detail={detail}&occ=yes&userid=36024" for detail in DETAILS)
            yield f"{address}?pretty=yes"
        yield f"{address}?limit=x"


def has(route, address, kind):
    return kind in route.formats and route.pattern.fullmatch(address)


def address_of(path, kind):
    has_format = path.startswith("/export/") or path in WRITE_IN_FORMATS
    return f"{path}.{kind}" if has_format else path


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Clients of a database full of secrets, with the key of each caller."""
    database = open_database(f"file://{tmp_path_factory.mktemp('secrets')}/data.fs")
    transact(database, plant_secrets)

    def give_keys(connection):
        return {user: key_ring(connection).create(user).key for user in CALLERS if user}

    keys = transact(database, give_keys)
    app = make_app(database, {"base_url": "https://indico.server"})
    yield Client(app), keys
    app.close()
    database.close()


@pytest.fixture(scope="module")
def walk(served):
    """What gives the secrets that a caller finds at each address there is; each asked once."""
    client, keys = served

    @cache
    def find(user):
        credentials = f"&ak={keys[user]}" if user else ""
        return {
            address: found_in(client.get(f"{address}{credentials}", buffered=True))
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
    client, keys = served
    credentials = {"ak": keys[user]} if user else {}
    for path, kind in product(WRITE, ["json", "xml"]):
        address = address_of(path, kind)
        for more in ({}, {"secret": "x", "is_paid": "yes", "location": "CERN", "roomid": "120"}):
            answer = client.post(address, data={**credentials, **more})
            assert not leaked(found_in(answer), user), address


SHOWN_TO_READERS = {
    f"hush-reader-{name}"
    for name in (
        *("event-title", "event-description", "event-room", "event-address", "chair", "keyword"),
        *("talk-title", "inside-title", "part-title", "session-title", "slot-title", "convener"),
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
        (ROOM_USER, {"hush-rooms-reason", "hush-rooms-person"}),
    ],
)
def test_everybody_reads_what_is_meant_for_them(walk, user, shown):
    assert shown <= set().union(*walk(user).values())


@pytest.mark.parametrize("path", MATERIALS)
def test_a_closed_file_is_read_by_those_who_may_and_nobody_else(served, path):
    client, keys = served

    def status(user):
        credentials = {"ak": keys.get(user, "")}
        return client.get(f"{path}.bin", query_string=credentials, buffered=True).status_code

    statuses = {user: status(user) for user in CALLERS}
    assert statuses[MANAGER] == 200
    assert statuses[None] == statuses[STRANGER] == 403


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.pattern.pattern)
def test_every_address_is_walked(route):
    paths = READ if route.method == "GET" else WRITE
    wanted = route.formats[0]
    walked = (
        path
        for path in paths
        if route.pattern.fullmatch(path) or route.pattern.fullmatch(f"{path}.{wanted}")
    )
    assert next(walked, None), "add an address of this route to READ or WRITE"
