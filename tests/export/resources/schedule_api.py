"""A client of the schedule API, and what comes of its requests."""

from __future__ import annotations

from datetime import UTC, datetime

from export.auth.tokens import tokens
from export.people.user import Avatar, users
from export.rooms.registry import Location, rooms
from scheduler.store import transact

BASE = "/api/v3/schedule"


BLANK = "This value should not be blank."


START = int(datetime(2030, 4, 1, 10, tzinfo=UTC).timestamp())  # a Monday


DAY = 86400


DOCUMENTED = {"name": "API Schedule 1", "room": 39, "start_at": str(START), "duration": "300"}


WEEKLY = {"recurrence": {"type": "weekly"}}


def plant(connection):
    registry = rooms(connection)
    registry.add_location(Location("Lab")).add_room(39, 1, "1", "39", "Studio")
    ann = Avatar("13", "Ann", "Byron", "ann@example.org", "ann")
    users(connection).add(ann)


def token_of(database, user, *scopes):
    def work(connection):
        return tokens(connection).create(user, f"of {user}", scopes or ("full:everything",))[1]

    return transact(database, work)


class Api:
    """Somebody who asks with a token."""

    def __init__(self, client, token):
        self.client, self.token = client, token

    def get(self, path=""):
        answer = self.client.get(f"{BASE}{path}?access_token={self.token}")
        return answer.status_code, answer.json

    def post(self, path="", body=None):
        answer = self.client.post(f"{BASE}{path}?access_token={self.token}", json=body)
        return answer.status_code, answer.json

    def create(self, **more):
        code, answer = self.post("", {**DOCUMENTED, **more})
        assert code == 200, answer
        return answer[0]

    def details(self, number):
        code, answer = self.get(f"/{number}")
        assert code == 200, answer
        return answer["data"]


def other(api, database, user):
    return Api(api.client, token_of(database, user))


def booked(database):
    """The beginnings of everything that the room is taken for, up to 20 of them."""

    def work(connection):
        taken = (one for one in rooms(connection).rooms[39].reservations() if one.takes_room)
        starts = (int(p.startDT.timestamp()) for one in taken for p in one.getOccurrences())
        return sorted(starts)[:20]

    return transact(database, work)


def waiting(at_work):
    """The dates of the tasks that wait, and how many there are."""
    at_work.run_due()
    return at_work.client.getStatus()["waiting"]
