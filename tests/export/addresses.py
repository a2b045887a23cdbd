"""Every address that is answered, with what is planted there: where tests go everywhere."""

from __future__ import annotations

from itertools import product

from export.errors import UnknownResource
from export.formats import FORMATS
from export.resources import BUILT_IN
from export.routing import RoutingTable

TABLE = RoutingTable(BUILT_IN)

EVENT = "/export/event/137346"
CLOSED = "/export/event/555"
MATERIALS = [
    f"{EVENT}/material/closed/0",
    f"{EVENT}/contrib/0/material/closed/0",
    f"{EVENT}/contrib/1/subcontrib/1/material/closed/0",
    f"{EVENT}/session/0/material/closed/0",
    f"{CLOSED}/material/closed/0",
]
PARTS = [
    *("137346", "137346/session/0", "137346/session/1", "137346/contribution/0"),
    *("137346/contribution/2", "137346/contribution/1/1", "555", "555/contribution/0"),
]
REGISTRANTS = [
    *("/api/events/137346/registrants", "/api/events/137346/registrants/0"),
    "/api/events/555/registrants",
]
CHECKINS = [
    *("/api/checkin/event/137346", "/api/checkin/event/137346/forms"),
    *("/api/checkin/event/137346/forms/1", "/api/checkin/event/137346/forms/1/registrations"),
    "/api/checkin/event/137346/forms/1/registrations/0",
    *("/api/checkin/event/555", "/api/checkin/ticket/00000000-0000-4000-8000-000000000000"),
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
    "/export/user/linked_events",
    "/export/room/CERN/120",
    "/export/roomName/CERN/Mezzanine",
    "/export/reservation/CERN",
    "/export/video/all-vidyo-mcu-webcast-recording",
    *(f"{event}/{page}" for event in (EVENT, CLOSED) for page in ("schedule", "diff")),
    *(f"/export/{kind}/{part}" for kind in ("attachments", "note") for part in PARTS),
    *REGISTRANTS,
    *CHECKINS,
    "/api/tasks/1",
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
    "/api/tasks/shop.bill",
]
PATCHED = [
    "/api/events/137346/registrants/0",
    "/api/checkin/event/137346/forms/1/registrations/0",
]
DETAILS = [
    *("events", "contributions", "subcontributions", "sessions"),
    *("basic", "full", "rooms", "reservations", "basic_events"),
]


def addresses(paths):
    """The paths in every format that they have, in every detail."""
    for path, kind in product(paths, [*FORMATS, "bin"]):
        address = address_of(path, kind)
        if has(address, kind):
            yield from (f"{address}?detail={detail}&occ=yes&userid=36024" for detail in DETAILS)
            yield f"{address}?pretty=yes"
        yield f"{address}?limit=x"


def has(address, kind):
    """Say whether *address* is answered in the format *kind*."""
    try:
        return kind in TABLE.find(address, "GET")[0].formats
    except UnknownResource:
        return False


def address_of(path, kind):
    has_format = path.startswith("/export/") or path in WRITE_IN_FORMATS
    return f"{path}.{kind}" if has_format else path


def all_paths():
    """The paths to read and to write at, in every format that they have."""
    for path, kind in product([*READ, *WRITE], [*FORMATS, "bin"]):
        address = address_of(path, kind)
        if has(address, kind):
            yield address
