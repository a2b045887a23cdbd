"""Booking a room over HTTP, and all that keeps somebody from it (reference 5.3.8)."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

import pytest

from export.model.catalogue import catalogue
from export.people.user import Avatar, users
from export.rooms.collisions import BLOCKED, COLLISION, INACTIVE, UNAVAILABLE
from export.rooms.registry import rooms
from export.rooms.room import Blocking
from scheduler.store import transact
from tests.export.planting import get
from tests.export.planting_rooms import (
    RESERVATIONS,
    SAMPLE_ID,
    change_reservation,
    change_room,
    key_of,
    local,
    plant_rooms,
    slots,
)

ADDRESS = "/api/roomBooking/bookRoom.json"
DOCUMENTED = {
    "username": "jdoe",
    "from": "2032-12-30T21:30",
    "to": "2032-12-30T22:15",
    "reason": "meeting",
    "location": "CERN",
    "roomid": "120",
    "tz": "Europe/Zurich",
}
RESTRICTED = (403, "Access to this resource is restricted.")
NO_DIRECT = (
    403,
    "This room does not accept direct bookings "
    "and it is not possible to pre-book rooms through the API.",
)


def plant_john(connection):
    john = Avatar("7", "John", "Doe", "john@example.org", "jdoe")
    john.phone = "+41"
    users(connection).add(john)


@pytest.fixture
def book(client, database):
    """Book what is documented, with other fields or (None) without some; return the answer."""
    transact(database, plant_rooms)
    transact(database, plant_john)
    ann = key_of(database, "ann")

    def book(**fields):
        wanted = {"ak": ann, **DOCUMENTED, **fields}
        form = {name: value for name, value in wanted.items() if value is not None}
        answer = client.post(ADDRESS, data=form)
        if answer.status_code == 200:
            return answer.json
        assert answer.json["_type"] == "HTTPAPIError"
        return answer.status_code, answer.json["message"]

    return book


def test_a_room_may_be_named_as_in_the_documented_example(book):
    assert book(roomid=None, room="120")["results"] == {"reservationID": SAMPLE_ID + 1}
    assert book(roomid=None, room="x") == (400, "Expected an integer for roomid")


def test_a_room_is_booked_as_documented(book, database, client):
    answer = book()
    assert answer["_type"] == "HTTPAPIResult"
    assert answer["results"] == {"reservationID": 93095}
    assert answer["count"] == 1
    assert answer["complete"] is True
    assert answer["url"].endswith(ADDRESS)

    key = key_of(database, "bob")
    query = f"ak={key}&tz=Europe/Zurich&day=2032-12-30"
    (shown,) = get(client, f"{RESERVATIONS}?{query}")
    assert (shown["id"], shown["reason"], shown["bookedForName"]) == (93095, "meeting", "DOE, John")
    assert (shown["startDT"]["time"], shown["endDT"]["time"]) == ("21:30:00", "22:15:00")
    assert (shown["isValid"], shown["repeatability"]) == (True, None)
    kept = change_reservation(
        database, lambda one: (one.created_by, one.contact_email, one.contact_phone), 93095
    )
    assert kept == ("ann", "john@example.org", "+41")


def test_xml_is_answered_as_well(book, client, database):
    form = {"ak": key_of(database, "ann"), **DOCUMENTED}
    answer = client.post(ADDRESS.replace("json", "xml"), data=form)
    assert "<reservationID>93095</reservationID>" in answer.text


def test_times_are_those_of_the_zone_that_is_named(book, client, database):
    book(tz="UTC")
    key = key_of(database, "bob")
    (shown,) = get(client, f"{RESERVATIONS}?ak={key}&tz=Europe/Zurich&day=2032-12-30")
    assert shown["startDT"]["time"] == "22:30:00"


def test_a_booking_that_is_in_the_way_is_a_conflict(book, database):
    assert book()["results"]
    assert book() == (409, COLLISION)
    assert book(**{"from": "2032-12-30T22:00", "to": "2032-12-30T23:00"}) == (409, COLLISION)
    assert book(**{"from": "2032-12-29T21:00", "to": "2032-12-31T23:00"}) == (409, COLLISION)
    assert book(**{"from": "2032-12-30T22:15", "to": "2032-12-30T23:00"})["results"]

    change_room(database, lambda room: room.close_for(slots(local(2033, 1, 1, 0), hours=24)))
    on_monday = {"from": "2033-01-01T09:00", "to": "2033-01-01T10:00"}
    assert book(**on_monday) == (409, UNAVAILABLE)
    change_room(
        database, lambda room: room.block(Blocking(date(2033, 1, 2), date(2033, 1, 3), "bob"))
    )
    on_tuesday = {"from": "2033-01-02T09:00", "to": "2033-01-02T10:00"}
    assert book(**on_tuesday) == (409, BLOCKED)
    assert book(ak=key_of(database, "bob"), **on_tuesday)["results"]


def test_a_slot_that_was_given_back_can_be_booked(book, database):
    number = book()["results"]["reservationID"]
    change_reservation(database, lambda one: one.cancel(), number)
    assert book()["results"]["reservationID"] == number + 1


def test_a_room_that_needs_confirmation_cannot_be_booked_but_by_administrators(book, database):
    change_room(
        database,
        lambda room: room.update(needs_confirmation=True, managers=frozenset({"keeper"})),
    )
    assert book() == NO_DIRECT
    assert book(ak=key_of(database, "keeper")) == NO_DIRECT
    transact(database, lambda connection: catalogue(connection).root.grant_modification("root"))
    assert book(ak=key_of(database, "root"))["results"]


def test_only_who_may_book_the_room_does(book, database):
    assert book(ak=None) == (403, "Guest access to this resource is forbidden.")
    assert book(ak=None, roomid=None) == (403, "Guest access to this resource is forbidden.")
    change_room(database, lambda room: room.update(booking_list=frozenset({"bob"})))
    assert book() == RESTRICTED
    assert book(ak=key_of(database, "bob"))["results"]
    transact(database, lambda connection: setattr(rooms(connection), "users", frozenset({"bob"})))
    assert book() == RESTRICTED


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        (
            dict.fromkeys(("location", "roomid", "reason", "username", "from", "to")),
            (400, "Argument(s) missing: location, roomid, reason, username, from, to"),
        ),
        ({"reason": ""}, (400, "Argument(s) missing: reason")),
        ({"username": "nobody"}, (404, "Username does not exist.")),
        ({"roomid": "121"}, (404, "A room with this ID does not exist")),
        ({"location": "Geneva"}, (404, "A room with this ID does not exist")),
        ({"roomid": "one"}, (400, "Expected an integer for roomid")),
        ({"tz": "Nowhere"}, (400, "Bad timezone: 'Nowhere'")),
        ({"from": "x"}, (400, "Impossible to parse 'x'")),
        (
            {"to": "2032-12-30T21:30"},
            (400, "to must be after from, on the last day as on the first"),
        ),
        (
            {"to": "2032-12-31T09:00"},
            (400, "to must be after from, on the last day as on the first"),
        ),
        ({"to": "9999-12-31T23:00"}, (400, "a booking must be between 1970 and 2099")),
        ({"from": "0001-01-01T00:00", "tz": "Asia/Tokyo"}, (400, "from and to are too far away")),
    ],
)
def test_bad_input_is_refused_by_what_is_wrong_with_it(book, fields, refusal):
    assert book(**fields) == refusal


def test_whole_days_can_be_booked(book, client, database):
    assert book(**{"from": "2032-12-24", "to": "2032-12-26"})["results"]
    assert book(**{"from": "2032-12-25T12:00", "to": "2032-12-25T13:00"}) == (409, COLLISION)


def test_parameters_of_the_address_do_not_count(client, database, book):
    query = urlencode({**DOCUMENTED, "ak": key_of(database, "ann")})
    assert client.post(f"{ADDRESS}?{query}", data={"x": "y"}).status_code == 403
    refused = client.get(f"{ADDRESS}?{query}")
    assert (refused.status_code, refused.json["message"]) == (405, "This action requires POST")
    assert refused.headers["Allow"] == "POST, OPTIONS"


def test_nothing_is_booked_in_the_past(book, stopped_clock):
    past = (400, "You cannot make bookings in the past")
    for start, end in (
        ("2014-03-23T10:00", "2014-03-23T11:00"),
        ("2014-03-20T10:00", "2014-03-30T11:00"),
        ("2014-03-24T22:00", "2014-03-24T23:30"),
        ("yesterday", "today"),
    ):
        assert book(**{"from": start, "to": end}) == past
    assert book(**{"from": "2014-03-24T23:00", "to": "2014-03-24T23:45"})["results"]
    assert book(**{"from": "tomorrow", "to": "tomorrow"})["results"]


def test_a_room_that_is_not_in_use_is_refused_to_everybody(book, database):
    change_room(database, lambda room: room.update(is_active=False))
    assert book() == RESTRICTED
    transact(
        database, lambda connection: setattr(rooms(connection), "managers", frozenset({"ann"}))
    )
    assert book() == (409, INACTIVE)


def test_a_booking_of_several_days_is_daily(book, client, database):
    assert book(**{"to": "2033-01-02T22:15"})["results"]
    key = key_of(database, "bob")
    (shown,) = get(client, f"{RESERVATIONS}?ak={key}&bf=DOE*")
    assert shown["repeatability"] == "daily"
    assert book(**{"from": "2033-01-01T12:00", "to": "2033-01-01T13:00"})["results"]


def test_dates_are_booked_as_answers_print_them(book, client, database):
    assert book(**{"from": "2032-12-30T21:30:00+02:00", "to": "2032-12-30T20:15:00Z"})["results"]
    key = key_of(database, "bob")
    (shown,) = get(client, f"{RESERVATIONS}?ak={key}&bf=DOE*&tz=UTC")
    assert (shown["startDT"]["time"], shown["endDT"]["time"]) == ("19:30:00", "20:15:00")
