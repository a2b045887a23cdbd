"""Timetables, and the parts of an event by themselves (reference 5.3.3).

Covers `export.model.session`, `export.model.timetable`, `export.resources.contribution`,
`export.resources.event`, `export.resources.session`.
"""

from __future__ import annotations

import icalendar
import pytest
from lxml import etree

from export.auth.api_keys import key_ring
from export.model.access import Protection
from export.model.person import ContributionParticipation
from export.model.timetable import Break
from scheduler.store import transact
from tests.export.planting import assert_holds, at, change, date, error, get

TABLE = "/export/timetable/137346.json?tz=Europe/Zurich"


def table(client, address=TABLE):
    return get(client, address)["137346"]


def pause(event):
    tea, coffee = Break("0", "Tea"), Break("1", "Coffee")
    tea.setDates(at(23, 10), at(23, 10, 15))
    coffee.setDates(at(24, 14, 20), at(24, 14, 30))
    event.add_break(tea)
    event.add_break(coffee, event.getSessionSlotList()[0])


def test_a_timetable_has_the_documented_entry(planted):
    days = table(planted)
    assert list(days) == ["20110623", "20110624"]
    assert set(days["20110623"]) == {"c0", "c1"}
    assert_holds(
        days["20110623"]["c0"],
        {
            "startDate": date(23, "08:00:00"),
            "_type": "ContribSchEntry",
            "material": [],
            "endDate": date(23, "08:20:00"),
            "description": "",
            "title": "d1c1",
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
            "room": "",
            "url": "https://indico.server/event/137346/contribution/0",
        },
    )


def test_a_slot_holds_its_contributions_and_breaks(planted, database):
    change(database, pause)
    days = table(planted)
    assert days["20110623"]["b0"]["duration"] == 15
    slot = days["20110624"]["s0l0"]
    assert_holds(
        slot,
        {
            "_type": "LinkedTimeSchEntry",
            "_fossil": "linkedTimeSchEntryDisplay",
            "id": "s0l0",
            "uniqueId": "a137346s0",
            "entryType": "Session",
            "title": "d2s1",
            "slotTitle": "",
            "sessionId": "0",
            "sessionSlotId": "0",
            "sessionCode": "0",
            "conferenceId": "137346",
            "startDate": date(24, "14:00:00"),
            "endDate": date(24, "15:00:00"),
            "duration": 60,
            "contribDuration": 20,
            "isPoster": False,
            "room": "",
            "location": "CERN",
            "inheritRoom": True,
            "inheritLoc": True,
            "material": [],
            "conveners": [],
        },
    )
    assert set(slot["entries"]) == {"s0c3", "s0l0b1"}
    assert_holds(
        slot["entries"]["s0l0b1"],
        {
            "_type": "BreakTimeSchEntry",
            "_fossil": "breakTimeSchEntry",
            "entryType": "Break",
            "title": "Coffee",
            "conferenceId": "137346",
            "sessionId": "0",
            "sessionSlotId": "0",
            "duration": 10,
            "color": "#90C0F0",
            "textColor": "#202020",
        },
    )


def test_days_are_those_of_the_zone_that_is_asked_for(planted):
    assert list(table(planted, "/export/timetable/137346.json?tz=Asia/Tokyo")) == [
        "20110623",
        "20110624",
        "20110625",
    ]


def test_addresses_of_presenters_are_for_managers_only(planted, database):
    def speak(event):
        who = ContributionParticipation("1", "Ada", "Byron", "London", "ada@example.org", "Dr")
        event.contributions["0"].update(speakers=(who,))
        event.grant_modification("ann")

    change(database, speak)
    (shown,) = table(planted)["20110623"]["c0"]["presenters"]
    assert (shown["name"], shown["_fossil"]) == (
        "Dr Ada BYRON",
        "contributionParticipationTTDisplay",
    )
    assert "email" not in shown
    key = transact(database, lambda connection: key_ring(connection).create("ann").key)
    (shown,) = table(planted, f"{TABLE}&ak={key}")["20110623"]["c0"]["presenters"]
    assert shown["email"] == "ada@example.org"


def test_a_timetable_shows_nothing_that_is_protected(planted, database):
    def protect(event):
        event.sessions["0"].setTitle("Secret")
        event.sessions["0"].setProtection(Protection.RESTRICTED)
        event.contributions["0"].setProtection(Protection.RESTRICTED)
        event.contributions["3"].setProtection(Protection.PUBLIC)

    change(database, protect)
    days = table(planted)
    assert {key for day in days.values() for key in day} == {"c1", "c2", "c3"}
    assert "Secret" not in planted.get(TABLE).text


def test_an_event_that_is_protected_or_unknown_has_no_timetable(planted, database):
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    assert error(planted, TABLE) == (404, "There is no event 137346")
    assert error(planted, "/export/timetable/1.json") == (404, "There is no event 1")
    assert get(planted, "/export/timetable/137346-1.json") == {}


def test_a_timetable_can_be_read_as_xml(planted):
    answer = planted.get("/export/timetable/137346.xml?tz=Europe/Zurich")
    root = etree.fromstring(answer.data)
    (entry,) = root.findall(".//contribschentry[@id='c0']")
    assert entry.findtext("startDate") == "2011-06-23T08:00:00+02:00"
    assert [one.get("key") for one in root.findall(".//entry")] == [
        "137346",
        "20110623",
        "20110624",
    ]


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("contribution/2-0-77.json", ["2", "0"]),
        ("contribution/2-0.json?order=start", ["0", "2"]),
        ("contribution/0-1-2.json?limit=1&offset=1", ["1"]),
        ("session/0.json", ["0-0"]),
        ("session/1.json", []),
    ],
)
def test_parts_are_answered_by_themselves(planted, address, ids):
    assert [one["id"] for one in get(planted, f"/export/event/137346/{address}")] == ids


@pytest.mark.parametrize(
    ("address", "fossil", "inside"),
    [
        ("contribution/0.json", "contributionMetadata", "speakers"),
        (
            "contribution/0.json?detail=subcontributions",
            "contributionMetadataWithSubContribs",
            "subContributions",
        ),
        ("session/0.json", "sessionMetadataWithContributions", "contributions"),
        (
            "session/0.json?detail=subcontributions",
            "sessionMetadataWithSubContribs",
            "subcontributions",
        ),
    ],
)
def test_parts_have_details_of_their_own(planted, address, fossil, inside):
    (shown,) = get(planted, f"/export/event/137346/{address}")
    assert shown["_fossil"] == fossil
    assert inside in shown


@pytest.mark.parametrize(
    ("address", "uids"),
    [
        ("contribution/0-1", ["indico-contribution-137346-0", "indico-contribution-137346-1"]),
        ("session/0", ["indico-contribution-137346-3"]),
    ],
)
def test_parts_can_be_put_into_a_calendar(planted, address, uids):
    answer = planted.get(f"/export/event/137346/{address}.ics")
    found = icalendar.Calendar.from_ical(answer.data).walk("VEVENT")
    assert [str(event["UID"]) for event in found] == [f"{uid}@indico.server" for uid in uids]


def test_parts_of_an_event_that_nobody_has_or_that_is_closed_are_not_found(planted, database):
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    for event in ("1", "137346"):
        for part in ("contribution", "session"):
            assert error(planted, f"/export/event/{event}/{part}/0.json") == (
                404,
                f"There is no event {event}",
            )
    change(database, lambda event: event.contributions["0"].setProtection(Protection.PUBLIC))
    shown = get(planted, "/export/event/137346/contribution/0-1.json")
    assert [one["id"] for one in shown] == ["0"]
