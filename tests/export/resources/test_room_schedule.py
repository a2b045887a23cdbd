"""The schedule API: a room's recurring bookings, and the tasks that go with them.

Covers `export.resources.room_schedule_body`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from export.fossilize import fossilize
from export.fossils.room import IReservationFossil
from export.people.group import Group, groups
from export.rooms.collisions import COLLISION
from export.rooms.registry import Location, rooms
from export.rooms.room import Blocking
from scheduler.store import transact
from tests.export.planting_rooms import local, slots
from tests.export.resources.schedule_api import (
    BASE,
    DAY,
    DOCUMENTED,
    START,
    WEEKLY,
    Api,
    booked,
    other,
    plant,
    token_of,
    waiting,
)


@pytest.fixture
def database(at_work):
    transact(at_work.database, plant)
    return at_work.database


def test_the_documented_request_is_answered_with_a_list_of_the_id(api):
    assert api.post("", DOCUMENTED) == (200, [1])
    later = {**DOCUMENTED, "start_at": START + 300}
    assert api.post("", later) == (200, [2])


def test_a_schedule_books_its_room_and_enqueues_its_tasks(api, database, at_work):
    api.create()
    assert booked(database) == [START]
    assert waiting(at_work) == 2


def test_nothing_is_unsaid_in_the_booking_of_a_schedule(api, database):
    api.create()

    def work(connection):
        (booking,) = rooms(connection).rooms[39].reservations()
        return fossilize(booking, IReservationFossil)

    shown = transact(database, work)
    assert {name for name, value in shown.items() if value is None} == {"repeatability"}
    assert (shown["usesAVC"], shown["needsAVCSupport"], shown["vcList"]) == (False, False, [])


def test_details_are_the_documented_ones(api, at_work):
    number = api.create(
        template={"17": "Student"},
        **{"18": "Teacher"},
        share={"users": "13,17,43", "users_groups": "1,7,12"},
        recurrence={"type": "weekly", "weeks_range": "1", "range_type": "after", "end_after": 10},
    )
    assert api.details(number) == {
        "id": 1,
        "name": "API Schedule 1",
        "template": [{"id": 17, "value": "Student"}, {"id": 18, "value": "Teacher"}],
        "author": {"id": 13, "name": "Ann BYRON"},
        "room": {"id": 39, "name": "Studio"},
        "created": START - DAY,
        "start_at": START,
        "stop_at": START + 300,
        "duration": 300,
        "status": "pending",
        "recurrence": {
            "type": "weekly",
            "weeks_range": [1],
            "range_type": "after",
            "end_after": 10,
            "end_by": None,
        },
        "shared": {"users": [13, 17, 43], "user_groups": [1, 7, 12]},
    }


@pytest.mark.parametrize(
    ("recurrence", "days"),
    [
        ({"type": "none"}, [0]),
        ({"type": "daily", "range_type": "after", "end_after": "3"}, [0, 1, 2]),
        ({"type": "daily", "range_type": "by", "end_by": "04-03-2030"}, [0, 1, 2]),
        ({"type": "weekly", "range_type": "after", "end_after": 3}, [0, 7, 14]),
        (
            {"type": "weekly", "weeks_range": "1,3,0", "range_type": "after", "end_after": 5},
            [0, 2, 6, 7, 9],
        ),
        ({"type": "weekly", "weeks_range": [3], "range_type": "after", "end_after": 2}, [2, 9]),
        ({"type": "monthly", "range_type": "after", "end_after": 3}, [0, 35, 63]),
        ({"type": "daily"}, list(range(20))),
    ],
)
def test_each_recurrence_books_its_days_and_is_started_on_them(
    api, database, at_work, recurrence, days
):
    number = api.create(recurrence=recurrence)
    assert booked(database) == [START + day * DAY for day in days]

    started = []
    for day in days[:5]:
        at_work.clock.now = datetime.fromtimestamp(START + day * DAY, UTC)
        at_work.run_due()
        started.append(api.details(number)["status"])
        at_work.clock.advance(300)
        at_work.run_due()
        started.append(api.details(number)["status"])
    assert started == ["started", "pending"] * len(days[:5])


def test_nothing_is_started_on_days_between(api, at_work):
    number = api.create(recurrence={"type": "weekly", "weeks_range": "1,3"})
    at_work.clock.now = datetime.fromtimestamp(START + DAY, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"
    assert api.details(number)["start_at"] == START + 2 * DAY


def test_a_schedule_over_midnight_is_one_instance(api, database, at_work):
    late = START + 13 * 3600
    number = api.create(start_at=late, duration=7200, **WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(late + 3600, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "started"
    at_work.clock.advance(3600)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"
    assert api.post("", {**DOCUMENTED, "start_at": late + 7100 + 7 * DAY})[0] == 409


def test_a_room_that_is_taken_is_a_conflict_and_leaves_nothing(api, database, at_work):
    api.create(**WEEKLY)
    tasks = waiting(at_work)
    code, answer = api.post("", {**DOCUMENTED, "start_at": START + 70 * DAY + 299})
    assert (code, answer) == (409, {"data": {"message": COLLISION}, "code": 409})
    assert waiting(at_work) == tasks
    assert api.create(start_at=START + 70 * DAY + 300) == 2


def test_a_booking_is_in_the_way_of_a_schedule_and_the_other_way_round(api, database):
    def book(connection):
        room = rooms(connection).rooms[39]
        room.book(slots(local(2030, 6, 3, 9), hours=2), "13", "first", "")

    transact(database, book)
    assert api.post("", {**DOCUMENTED, **WEEKLY})[0] == 409
    assert api.post("", DOCUMENTED)[0] == 200


def test_only_given_fields_are_changed(api, database, at_work):
    number = api.create(**WEEKLY, template={"17": "a"})
    before = api.details(number)
    code, answer = api.post(f"/{number}/edit", {"name": "Another"})
    assert (code, answer["data"]) == (200, {**before, "name": "Another"})
    code, answer = api.post(f"/{number}/edit", {"start_at": START + 3600, "duration": 600})
    assert answer["data"]["start_at"] == START + 3600
    assert answer["data"]["recurrence"] == before["recurrence"]
    assert booked(database)[:2] == [START + 3600, START + 7 * DAY + 3600]
    assert waiting(at_work) == 2


def test_an_edited_instance_is_started_at_its_new_time_alone(api, at_work):
    number = api.create(**WEEKLY)
    api.post(f"/{number}/edit", {"start_at": START + 3600})
    at_work.clock.now = datetime.fromtimestamp(START, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"
    at_work.clock.advance(3600)
    at_work.run_due()
    assert api.details(number)["status"] == "started"


def test_a_schedule_that_is_running_ends_when_it_is_moved_to_another_room(api, database, at_work):
    def more(connection):
        rooms(connection).add_location(Location("Perth", "Australia/Perth")).add_room(
            7, 1, "1", "1"
        )

    transact(database, more)
    number = api.create(duration=3600, **WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(START + 600, UTC)
    at_work.run_due()
    code, answer = api.post(f"/{number}/edit", {"room": 7})
    assert (code, answer["data"]["room"]["id"]) == (200, 7)
    assert (answer["data"]["status"], answer["data"]["start_at"]) == ("pending", START)
    assert booked(database) == [START]

    def held(connection):
        ends = [one.getEndDate().timestamp() for one in rooms(connection).rooms[39].reservations()]
        return sorted(ends)

    assert START + 600 in transact(database, held)


def test_past_instances_are_kept_when_a_schedule_is_edited_later(api, database, at_work):
    number = api.create(**WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(START + 8 * DAY, UTC)
    code, answer = api.post(f"/{number}/edit", {"duration": 900})
    assert (code, answer["data"]["start_at"]) == (200, START + 14 * DAY)
    assert booked(database)[:3] == [START, START + 7 * DAY, START + 14 * DAY]


def test_a_schedule_cannot_be_edited_into_the_past(api, database, at_work):
    number = api.create(**WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(START + 8 * DAY, UTC)
    ended = {"recurrence": {"range_type": "by", "end_by": "04-02-2030"}}
    code, answer = api.post(f"/{number}/edit", ended)
    assert (code, answer["data"]["fields"][0]["message"]) == (
        400,
        "nothing of the schedule is to come",
    )
    assert api.details(number)["start_at"] == START + 14 * DAY


def test_an_edit_into_another_booking_changes_nothing(api, database, at_work):
    number = api.create(**WEEKLY)
    api.create(start_at=START + 600)
    assert api.post(f"/{number}/edit", {"duration": 601})[0] == 409
    assert api.details(number)["duration"] == 300
    assert waiting(at_work) == 4


def test_deleting_gives_back_what_is_to_come_and_ends_the_tasks(api, database, at_work):
    number = api.create(**WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(START + DAY, UTC)
    assert api.post(f"/{number}/delete") == (200, {})
    assert booked(database) == [START]
    assert waiting(at_work) == 0
    assert api.get(f"/{number}") == (404, {"error": {"code": 404}})
    assert api.post(f"/{number}/delete") == (404, {"error": {"code": 404}})
    assert api.create(start_at=START + 14 * DAY) == 2


@pytest.mark.parametrize("name", ["x", "-1", "0", "9" * 40, "1.5", "%D9%A1"])
def test_a_text_that_is_no_id_names_no_schedule(api, name):
    assert api.get(f"/{name}") == (404, {"error": {"code": 404}})
    assert api.post(f"/{name}/edit", {}) == (404, {"error": {"code": 404}})


def test_the_next_instance_alone_is_deleted(api, database, at_work):
    number = api.create(**WEEKLY)
    code, answer = api.post(f"/{number}/delete_next")
    assert (code, answer["data"]["start_at"]) == (200, START + 7 * DAY)
    assert booked(database)[0] == START + 7 * DAY
    at_work.clock.now = datetime.fromtimestamp(START, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"
    at_work.clock.advance(7 * DAY)
    at_work.run_due()
    assert api.details(number)["status"] == "started"


def test_the_last_instance_is_not_deleted_by_itself(api, database):
    number = api.create()
    code, answer = api.post(f"/{number}/delete_next")
    assert (code, answer["code"]) == (400, 400)
    assert "last instance" in answer["data"]["message"]
    assert booked(database) == [START]


def test_stopping_gives_the_room_back_for_the_rest(api, database, at_work):
    number = api.create(duration=3600, **WEEKLY)
    not_found = {"error": {"code": 404, "message": "Schedule recording not found"}}
    assert api.post(f"/{number}/stop") == (404, not_found)
    at_work.clock.now = datetime.fromtimestamp(START + 60, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "started"
    assert api.post(f"/{number}/stop") == (200, {"data": None})
    assert api.details(number)["status"] == "pending"
    assert api.details(number)["start_at"] == START + 7 * DAY
    assert api.post(f"/{number}/stop")[0] == 404
    assert booked(database)[:2] == [START, START + 7 * DAY]
    assert api.create(start_at=START + 61) == 2
    at_work.clock.advance(3600)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"


def test_a_missed_instance_is_not_started_once_it_is_over(api, at_work):
    number = api.create(**WEEKLY)
    at_work.clock.now = datetime.fromtimestamp(START + 400, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "pending"
    at_work.clock.now = datetime.fromtimestamp(START + 7 * DAY + 100, UTC)
    at_work.run_due()
    assert api.details(number)["status"] == "started"


def test_schedules_that_are_hindered_are_listed(api, database):
    partly = api.create(**WEEKLY)
    wholly = api.create(start_at=START + 3600)
    api.create(start_at=START + DAY)
    for how in ("conflict", "blocked"):
        assert api.get(f"/{how}") == (200, {"data": {f"{how}_schedules": []}})
    monday = datetime.fromtimestamp(START, UTC).date()

    def close(connection):
        rooms(connection).rooms[39].block(Blocking(monday, monday, "boss"))

    transact(database, close)
    listed = {
        how: api.get(f"/{how}")[1]["data"][f"{how}_schedules"] for how in ("conflict", "blocked")
    }
    assert [one["id"] for one in listed["conflict"]] == [partly]
    assert [one["id"] for one in listed["blocked"]] == [wholly]


def test_a_token_is_needed(api, database):
    for answer in (
        api.client.post(BASE, json=DOCUMENTED),
        api.client.post(f"{BASE}?access_token=indp_wrong", json=DOCUMENTED),
        api.client.get(f"{BASE}/1"),
        api.client.get(f"{BASE}/conflict"),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    header = {"Authorization": f"Bearer {api.token}"}
    assert api.client.post(BASE, json=DOCUMENTED, headers=header).json == [1]
    reading = Api(api.client, token_of(database, "14", "read:everything"))
    assert reading.get("/conflict")[0] == 200
    assert reading.post("", DOCUMENTED)[0] == 403


def test_others_see_what_is_shared_with_them_and_change_nothing(api, database):
    number = api.create(users="17")
    stranger, friend = other(api, database, "99"), other(api, database, "17")
    assert stranger.get(f"/{number}") == (404, {"error": {"code": 404}})
    assert stranger.post(f"/{number}/delete")[0] == 404
    assert friend.details(number)["name"] == "API Schedule 1"
    assert friend.post(f"/{number}/delete")[0] == 403
    transact(database, lambda connection: rooms(connection).rooms[39].update(responsible="99"))
    assert stranger.post(f"/{number}/edit", {"name": "Mine"})[0] == 200


def test_members_of_a_group_see_what_is_shared_with_it(api, database):
    number = api.create(share={"user_groups": "7,12"})
    member = other(api, database, "17")
    assert member.get(f"/{number}")[0] == 404
    transact(database, lambda connection: groups(connection).add(Group("7")).add("17"))
    assert member.details(number)["shared"] == {"users": [], "user_groups": [7, 12]}


def test_only_who_may_book_the_room_schedules_it(api, database):
    def close(connection):
        rooms(connection).rooms[39].update(booking_list=frozenset({"17"}))

    transact(database, close)
    assert api.post("", DOCUMENTED)[0] == 403
    assert other(api, database, "17").post("", DOCUMENTED)[0] == 200
    transact(database, lambda connection: setattr(rooms(connection), "users", frozenset({"17"})))
    assert api.post("", DOCUMENTED)[0] == 403


def test_a_room_keeps_its_hours_when_clocks_are_changed(api, database, at_work):
    def more(connection):
        rooms(connection).add_location(Location("Bern", "Europe/Zurich")).add_room(7, 1, "1", "1")

    transact(database, more)
    before = datetime(2030, 10, 21, 8, tzinfo=UTC)  # 10:00 there; clocks go back on the 27th
    number = api.create(room=7, start_at=int(before.timestamp()), **WEEKLY)
    after = before + timedelta(days=7, hours=1)
    at_work.clock.now = after
    at_work.run_due()
    assert api.details(number)["status"] == "started"
    assert api.details(number)["start_at"] == int(after.timestamp())
