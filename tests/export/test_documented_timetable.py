"""The answer that reference 5.3.3 prints: all of it, on an event that is made to match.

Covers `export.fossils.timetable`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from scheduler.store import transact
from tests.export.test_documented_answers import assert_holds

START = datetime(2013, 4, 29, 14, tzinfo=UTC)
ADDRESS = "/export/timetable/137346.json?pretty=yes&tz=Europe/Zurich"


def at(time):
    return {"date": "2013-04-29", "tz": "Europe/Zurich", "time": time}


DOCUMENTED = {
    "count": 1,
    "additionalInfo": {},
    "_type": "HTTPAPIResult",
    "complete": True,
    "url": f"https://indico.server{ADDRESS}",
    "results": {
        "137346": {
            "20130429": {
                "c0": {
                    "startDate": at("16:00:00"),
                    "_type": "ContribSchEntry",
                    "material": [],
                    "endDate": at("16:30:00"),
                    "description": "",
                    "title": "Contrib 1",
                    "id": "c0",
                    "contributionId": "0",
                    "sessionSlotId": None,
                    "conferenceId": "137346",
                    "presenters": [],
                    "sessionId": None,
                    "location": "CERN",
                    "uniqueId": "a137346t0",
                    "_fossil": "contribSchEntryDisplay",
                    "sessionCode": None,
                    "entryType": "Contribution",
                    "room": "160-1-009",
                }
            }
        }
    },
}


def plant(connection):
    event = Conference("137346", "Export Test")
    event.setDates(START, START + timedelta(hours=2))
    event.update(location="CERN", room="160-1-009")
    catalogue(connection).add_event(event)
    talk = Contribution("0", "Contrib 1")
    talk.setDates(START, START + timedelta(minutes=30))
    event.addContribution(talk)


def test_the_timetable_is_the_documented_one(client, database):
    transact(database, plant)
    shown = client.get(ADDRESS).json
    assert_holds(shown, DOCUMENTED)
    assert shown["results"].keys() == {"137346"}
    assert shown["results"]["137346"].keys() == {"20130429"}
    assert shown["results"]["137346"]["20130429"].keys() == {"c0"}
