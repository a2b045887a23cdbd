"""Rooms and reservations over HTTP: who may ask, for what, and what is found (reference 5.3.8).

Covers `export.resources.reservation`, `export.resources.room_by_name`, `export.rooms.reservation`.
"""

from __future__ import annotations

from datetime import date

import pytest
from lxml import etree

from export.errors import RoomNotFree
from export.rooms.registry import Location, rooms
from scheduler.store import transact
from tests.export.planting import error, get
from tests.export.planting_rooms import (
    RESERVATIONS,
    ROOM,
    change_reservation,
    change_room,
    key_of,
    local,
    slots,
)

GUEST = (403, "Guest access to this resource is forbidden.")
RESTRICTED = (403, "Access to this resource is restricted.")


@pytest.fixture
def reasons(client, ann):
    """What the reservations that are found are for."""
    return lambda query: [
        one["reason"] for one in get(client, f"{RESERVATIONS}?ak={ann}&order=id&{query}")
    ]


APRIL = local(2014, 4, 1, 9)


def book(database, reason, begin=APRIL, **more):
    def work(room):
        wanted = {name: more.pop(name) for name in ("hours", "last", "every") if name in more}
        made = room.book(slots(begin, **wanted), "ann", reason, "BYRON, Ada", **more)
        return made.id

    return change_room(database, work)


def test_rooms_and_reservations_are_for_who_may_use_the_rooms(client, database, ann):
    for address in (ROOM, RESERVATIONS):
        assert error(client, address) == GUEST
        assert error(client, f"{address}?ak={ann}&onlypublic=yes") == GUEST
    transact(database, lambda connection: setattr(rooms(connection), "users", frozenset({"bob"})))
    for address in (ROOM, RESERVATIONS):
        assert error(client, f"{address}?ak={ann}") == RESTRICTED
        assert error(client, f"{address}?ak={ann}&detail=x") == RESTRICTED
        assert client.get(f"{address}?ak={key_of(database, 'bob')}").status_code == 200
    assert client.get("/export/roomName/CERN/Mezzanine.json").status_code == 200


def test_rooms_that_do_not_exist_are_left_out(client, database, ann):
    def more(connection):
        cern = rooms(connection).locations["CERN"]
        cern.add_room(9, 31, "S", "023")
        rooms(connection).add_location(Location("Geneva")).add_room(7, 1, "1", "1")

    transact(database, more)
    shown = get(client, f"/export/room/CERN/120-9-7-9-8.json?ak={ann}")
    assert [(room["id"], room["name"]) for room in shown] == [(9, "31-S-023"), (120, "Mezzanine")]
    assert [room["_type"] for room in get(client, f"/export/room/Geneva/7.json?ak={ann}")] == [
        "Room"
    ]
    assert get(client, f"/export/room/Nowhere/7.json?ak={ann}") == []
    assert get(client, f"/export/room/CERN/120,9.json?ak={ann}&limit=1&order=id&c=yes") == [
        shown[1]
    ]


def test_rooms_are_asked_for_by_numbers(client, ann):
    numeric = (400, "Room IDs must be numeric")
    assert error(client, f"/export/room/CERN/x.json?ak={ann}") == numeric
    assert error(client, f"/export/room/CERN/{'9' * 5000}.json?ak={ann}") == numeric
    assert get(client, f"/export/room/CERN/{'9' * 18}.json?ak={ann}") == []
    assert error(client, f"{ROOM}?ak={ann}&detail=x") == (400, "Invalid detail level: x")
    assert error(client, f"{ROOM}?ak={ann}&detail=reservations&limit=11")[0] == 400


def test_equipment_tells_whether_a_room_is_good_for_video(client, database, ann):
    change_room(
        database,
        lambda room: room.update(equipment=("Video conference (H323)",), video_systems=("Vidyo",)),
    )
    (room,) = get(client, f"{ROOM}?ak={ann}")
    assert room["avc"] is True
    assert room["equipment"] == ["Video conference (H323)"]
    assert room["vcList"] == ["Vidyo"]


def test_a_name_is_found_whatever_its_case_and_only_at_its_location(client, database, ann):
    transact(
        database,
        lambda connection: (
            rooms(connection)
            .add_location(Location("Zürich"))
            .add_room(5, 1, "0", "1", "Große Halle")
        ),
    )
    assert [one["id"] for one in get(client, "/export/roomName/Zürich/GROSSE.json")] == [5]
    assert [one["id"] for one in get(client, "/export/roomName/CERN/500-1.json")] == [120]
    assert get(client, "/export/roomName/CERN/halle.json") == []
    assert get(client, "/export/roomName/Nowhere/halle.json") == []
    assert error(client, "/export/roomName/CERN/a.json?detail=reservations") == (
        400,
        "Invalid detail level: reservations",
    )


def test_reservations_of_all_states_are_found_and_filters_choose(database, reasons):
    book(database, "pending", confirmed=False)
    for reason in ("cancelled", "rejected", "plain"):
        number = book(database, reason)
        if reason == "cancelled":
            change_reservation(database, lambda one: one.cancel(), number)
        if reason == "rejected":
            change_reservation(database, lambda one: one.reject("no"), number)
    everything = ["Just testing", "pending", "cancelled", "rejected", "plain"]

    def but(*left_out):
        return [reason for reason in everything if reason not in left_out]

    assert reasons("") == everything
    assert reasons("cancelled=yes") == reasons("cxl=yes") == ["cancelled"]
    assert reasons("cancelled=no") == but("cancelled")
    assert reasons("rejected=yes") == reasons("rej=yes") == ["rejected"]
    assert reasons("rejected=anything") == but("rejected")
    assert reasons("confirmed=yes") == but("pending")
    assert reasons("confirmed=no") == reasons("confirmed=pending") == ["pending"]
    assert reasons("archival=yes") == reasons("arch=yes") == ["Just testing"]
    assert reasons("archival=no") == but("Just testing")
    for name in ("recurring", "rec", "repeating", "rep"):
        assert reasons(f"{name}=yes") == ["Just testing"]
        assert reasons(f"{name}=no") == but("Just testing")
    assert reasons("rec=no&repeating=yes&cxl=yes") == ["cancelled"]


def test_reservations_are_chosen_by_what_they_need(database, reasons):
    def need(one):
        one.uses_avc = one.needs_avc_support = one.needs_startup_support = True

    change_reservation(database, need, book(database, "with all"))
    for name in ("avc", "avcsupport", "avcs", "startupsupport", "sts"):
        assert reasons(f"{name}=yes") == ["with all"]
        assert reasons(f"{name}=no") == ["Just testing"]


def test_reservations_are_chosen_by_whom_they_are_for(database, reasons):
    book(database, "other")
    assert reasons("bookedfor=*monn?ch*") == reasons("bf=MONNICH, Jerome") == ["Just testing"]
    assert reasons("bookedfor=MONNICH") == []
    assert reasons("bf=*") == ["Just testing", "other"]


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("from=2011-06-24&to=2011-06-24", True),
        ("from=2011-06-25&to=2011-06-25", True),
        ("from=2011-06-26&to=2011-06-26", False),
        ("from=2011-06-24T17:30&to=2011-06-24T20:00", False),
        ("from=2011-06-24T06:00&to=2011-06-24T08:31", True),
        ("from=2011-06-20T06:00&to=2011-06-30T08:00", False),
        ("from=2011-06-20T18:00&to=2011-06-30T08:00", True),
        ("from=2011-06-25T17:29", True),
        ("from=2011-06-25T17:30", False),
        ("to=2011-06-24T08:31", True),
        ("to=2011-06-24T08:30", False),
        ("from=2011-06-24T09:00&to=2011-06-24T09:00", True),
        ("from=2011-06-25&to=2011-06-24", False),
        ("from=0001-01-01&to=9999-12-31", True),
        ("from=9999-12-31", False),
        ("to=0001-01-01", False),
        ("day=2011-06-24", True),
        ("from=2011-06-24T15:29&to=2011-06-24T16:00&tz=UTC", True),
        ("from=2011-06-24T15:30&to=2011-06-24T16:00&tz=UTC", False),
    ],
)
def test_a_range_finds_what_overlaps_it_by_day_and_by_time_of_day(
    client, ann, reasons, query, is_found
):
    query = query if "tz" in query else f"{query}&tz=Europe/Zurich"
    found = ["Just testing"] if is_found else []
    assert reasons(query) == found
    (room,) = get(client, f"{ROOM}?ak={ann}&detail=reservations&{query}")
    assert [one["reason"] for one in room["reservations"]] == found


def test_occurrences_are_the_slots_that_lie_within_the_range(client, database, ann):
    change_reservation(database, lambda one: one.exclude(date(2011, 6, 24)))
    query = f"ak={ann}&tz=Europe/Zurich&occurrences=yes"
    (shown,) = get(client, f"{RESERVATIONS}?{query}")
    moments = ("2011-06-25", "08:30:00"), ("2011-06-25", "17:30:00")
    start, end = ({"date": day, "time": time, "tz": "Europe/Zurich"} for day, time in moments)
    period = {"_type": "Period", "_fossil": "naivePeriod", "startDT": start, "endDT": end}
    assert shown["occurrences"] == [period]
    (room,) = get(client, f"{ROOM}?{query}&detail=reservations&from=2011-06-25T10:00")
    assert room["reservations"][0]["occurrences"] == []
    assert "occurrences" not in get(client, f"{RESERVATIONS}?ak={ann}&occ=no")[0]


def test_an_endless_reservation_shows_its_first_slots_and_more_when_asked(client, database, ann):
    book(database, "daily", last=date(2099, 12, 31), every="daily")
    query = f"ak={ann}&bf=BYRON*&occ=yes"
    (shown,) = get(client, f"{RESERVATIONS}?{query}")
    assert len(shown["occurrences"]) == 366
    (shown,) = get(client, f"{RESERVATIONS}?{query}&from=2099-12-30")
    assert [one["startDT"]["date"] for one in shown["occurrences"]] == ["2099-12-30", "2099-12-31"]


def test_reservations_of_several_locations_are_one_list(client, database, ann):
    def more(connection):
        room = rooms(connection).add_location(Location("Bern")).add_room(7, 1, "1", "1")
        for hour in (8, 9, 10):
            room.book(slots(local(2014, 5, 1, hour)), "ann", f"at {hour}", "")

    transact(database, more)
    address = f"/export/reservation/CERN-Bern-Nowhere.json?ak={ann}"
    assert [one["location"] for one in get(client, address)] == ["Bern"] * 3 + ["CERN"]
    page = get(client, f"{address}&limit=2&offset=2&order=start")
    assert [one["reason"] for one in page] == ["at 9", "at 10"]
    assert get(client, f"/export/reservation/Nowhere.json?ak={ann}") == []
    assert len(get(client, f"{address}&from=2011-01-01&to=2015-01-01")) == 4


def test_xml_names_rooms_and_reservations_by_what_they_are(client, ann):
    answer = client.get(f"/export/room/CERN/120.xml?ak={ann}&detail=reservations")
    room = etree.fromstring(answer.data).find("results/room")
    assert room.get("fossil") == "roomMetadataWithReservations"
    assert room.find("reservations/reservation").get("id") == "93094"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcd"),
        ("limit=2", "ab"),
        ("limit=2&offset=1&order=start", "bc"),
        ("order=title&descending=yes&n=3", "dcb"),
        ("offset=3", "d"),
        ("from=2014-04-02&to=2014-04-03&limit=1&offset=1", "c"),
        ("confirmed=no&limit=1", ""),
    ],
)
def test_the_reservations_of_each_room_have_an_order_a_limit_and_an_offset(
    client, database, ann, query, expected
):
    transact(database, lambda found: rooms(found).locations["CERN"].add_room(9, 31, "S", "023"))
    change_reservation(database, lambda one: one.cancel())
    for day, reason in enumerate("abcd", 1):
        book(database, reason, local(2014, 4, day, 9))
    address = f"/export/room/CERN/9-120.json?ak={ann}&detail=reservations&cancelled=no"
    empty, room = get(client, f"{address}&tz=Europe/Zurich&{query}")
    assert empty["reservations"] == []
    assert "".join(one["reason"] for one in room["reservations"]) == expected


def test_a_room_that_is_not_in_use_is_booked_by_nobody(client, database, ann):
    change_room(database, lambda room: room.update(is_active=False, managers=frozenset({"ann"})))
    with pytest.raises(RoomNotFree, match="not in use"):
        book(database, "one")
    with pytest.raises(RoomNotFree, match="not in use"):
        book(database, "one", confirmed=False)
