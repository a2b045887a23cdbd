"""The event of reference 5.3.2, and how tests ask for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from export.auth.api_keys import key_ring
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.session import Session, SessionSlot
from scheduler.store import transact

ZURICH = ZoneInfo("Europe/Zurich")


def at(day, hour, minute=0):
    return datetime(2011, 6, day, hour, minute, tzinfo=ZURICH).astimezone(UTC)


def plant(connection):
    """The event of reference 5.3.2."""
    found = catalogue(connection)
    category = Category("2", "TEST Category")
    found.add_category(category)
    event = Conference("137346", "Export Test")
    event.setDates(at(23, 8), at(24, 18))
    event.update(location="CERN", timezone="Europe/Zurich")
    found.add_event(event, category)
    session, slot = Session("0", "d2s1"), SessionSlot("0")
    slot.setDates(at(24, 14), at(24, 15))
    event.addSession(session)
    session.addSlot(slot)
    for number, (title, start, minutes) in enumerate(
        [
            ("d1c1", at(23, 8), 20),
            ("d1c2", at(23, 8, 20), 20),
            ("d2c1", at(24, 12), 120),
            ("d2s1c1", at(24, 14), 20),
        ]
    ):
        talk = Contribution(str(number), title)
        talk.duration = timedelta(minutes=minutes)
        talk.setDates(start, start + talk.duration)
        event.addContribution(talk)
    slot.schedule(talk)


def change(database, work):
    transact(database, lambda connection: work(catalogue(connection).event("137346")))


def key_of_ann(connection):
    made = key_ring(connection).create("ann")
    return made.key, made.secret


def get(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def error(client, address):
    answer = client.get(address)
    assert answer.json["_type"] == "HTTPAPIError"
    assert answer.json["_fossil"] == "hTTPAPIError"
    return answer.status_code, answer.json["message"]


def date(day, time):
    return {"date": f"2011-06-{day}", "time": time, "tz": "Europe/Zurich"}


def assert_holds(shown, expected):
    assert {key: shown[key] for key in expected} == expected
