"""Where things take place, and where parts of sessions are told."""

from __future__ import annotations

import icalendar
import pytest

from export.auth.api_keys import key_ring
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.contribution import Contribution
from export.model.session import Session, SessionSlot
from scheduler.store import transact
from tests.export.planting import at, change, get

EVENT = "/export/event/137346"
PLACES = ("event", "session", "slot", "talk")
FULL = "Big Hall"


def place_of(event, name):
    talk = event.contributions["3"]
    return {
        "event": event,
        "session": talk.session,
        "slot": talk.getSlot(),
        "talk": talk,
    }[name]


def talk_in_all_answers(client):
    """Yield what each address tells of the talk in the slot."""
    (single,) = get(client, f"{EVENT}/contribution/3.json")
    yield single
    for detail in ("contributions", "subcontributions"):
        (event,) = get(client, f"{EVENT}.json?detail={detail}")
        yield next(one for one in event["contributions"] if one["id"] == "3")
        (slot,) = get(client, f"{EVENT}/session/0.json?detail={detail}")
        yield slot[detail][0]
    (event,) = get(client, f"{EVENT}.json?detail=sessions")
    yield event["sessions"][0]["contributions"][0]


@pytest.mark.parametrize("nearest", range(len(PLACES)))
@pytest.mark.parametrize("own", [{"room": FULL}, {"room": "H", "room_full_name": FULL}])
def test_a_talk_takes_place_where_the_nearest_around_it_does(planted, database, nearest, own):
    def give(event):
        for number, name in enumerate(PLACES[: nearest + 1]):
            is_last = number == nearest
            place_of(event, name).update(**(own if is_last else {"room": "far"}))

    change(database, give)
    told = {(one["room"], one["roomFullname"]) for one in talk_in_all_answers(planted)}
    assert told == {(own["room"], FULL)}
    text = planted.get(f"{EVENT}.ics?detail=contributions").text
    found = {
        str(entry["UID"]).partition("@")[0]: str(entry["LOCATION"])
        for entry in icalendar.Calendar.from_ical(text).walk("VEVENT")
    }
    assert found["indico-contribution-137346-3"] == f"CERN {own['room']}"
    days = get(planted, "/export/timetable/137346.json?tz=Europe/Zurich")["137346"]
    (slot,) = (entry for entry in days["20110624"].values() if entry["entryType"] == "Session")
    assert slot["entries"]["s0c3"]["room"] == own["room"]
    assert f"<room>{own['room']}</room>" in planted.get(f"{EVENT}/contribution/3.xml").text


def test_a_room_with_a_name_of_its_own_has_not_the_full_name_of_another(planted, database):
    change(database, lambda event: event.update(room="A", room_full_name="Aula"))
    change(database, lambda event: event.contributions["0"].update(room="B"))
    (event,) = get(planted, f"{EVENT}.json?detail=contributions")
    assert [one["roomFullname"] for one in event["contributions"]] == ["B", "Aula", "Aula", "Aula"]


def test_an_open_talk_does_not_tell_the_room_of_its_closed_session(planted, database):
    def close(event):
        event.update(room="Hall")
        event.sessions["0"].setProtection(Protection.RESTRICTED)
        event.sessions["0"].slots[0].update(room="Vault")
        event.contributions["3"].setProtection(Protection.PUBLIC)

    change(database, close)
    (talk,) = get(planted, f"{EVENT}/contribution/3.json")
    assert (talk["room"], talk["roomFullname"]) == (None, None)


def add_talk(event, number, session):
    talk = Contribution(number, f"talk {number}")
    event.addContribution(talk)
    talk.update(session=session)


def test_talks_of_a_session_that_are_in_no_slot_are_told_with_the_first(planted, database):
    def add(event):
        session = event.sessions["0"]
        later = SessionSlot("1")
        later.setDates(at(24, 16), at(24, 17))
        session.addSlot(later)
        add_talk(event, "8", session)
        empty = Session("5", "without slots")
        event.addSession(empty)
        add_talk(event, "9", empty)

    change(database, add)
    (event,) = get(planted, f"{EVENT}.json?detail=sessions")
    inside = [[one["id"] for one in slot["contributions"]] for slot in event["sessions"]]
    assert inside == [["3", "8"], []]
    assert [one["id"] for one in event["contributions"]] == ["0", "1", "2", "9"]
    assert event["sessions"][0]["contributions"][1]["startDate"] is None
    for detail in ("contributions", "subcontributions"):
        slots = get(planted, f"{EVENT}/session/0.json?detail={detail}")
        assert [[one["id"] for one in slot[detail]] for slot in slots] == [["3", "8"], []]


def test_a_talk_whose_slot_is_closed_to_somebody_is_told_outside_of_it(planted, database):
    def close(event):
        event.contributions["3"].setProtection(Protection.PUBLIC)
        event.sessions["0"].slots[0].setProtection(Protection.RESTRICTED)

    change(database, close)
    (event,) = get(planted, f"{EVENT}.json?detail=sessions")
    assert event["sessions"] == []
    assert [one["id"] for one in event["contributions"]] == ["0", "1", "2", "3"]


def test_managers_of_the_root_are_named_nowhere_but_by_a_rule_below_it(planted, database):
    def work(connection):
        found = catalogue(connection)
        found.root.grant_modification("root")
        found.category("2").grant_modification("boss")
        found.category("2").setProtection(Protection.RESTRICTED)
        found.category("2").grant_access("eve")
        found.event("137346").contributions["0"].setProtection(Protection.RESTRICTED)
        found.event("137346").contributions["0"].grant_access("speaker")
        return key_ring(connection).create("boss").key

    key = transact(database, work)
    (event,) = get(planted, f"{EVENT}.json?detail=contributions&ak={key}")
    assert event["allowed"] == {"users": ["boss", "eve"], "groups": []}
    assert event["contributions"][0]["allowed"]["users"] == ["boss", "speaker"]
    change(database, lambda event: event.grant_access("root"))
    (event,) = get(planted, f"{EVENT}.json?ak={key}")
    assert event["allowed"]["users"] == ["boss", "eve", "root"]


def test_the_visibility_of_a_path_is_that_of_its_category(planted, database):
    address = "/export/categ/2.json"

    def told(levels):
        change(database, lambda event: setattr(event.getOwner(), "visibility", levels))
        (way,) = planted.get(address).json["additionalInfo"]["eventCategories"]
        return way["path"][-1]["visibility"]["name"]

    change(database, lambda event: setattr(event, "visibility", 0))
    assert [told(levels) for levels in (0, 1, 999)] == ["Nowhere", "TEST Category", "Everywhere"]


def test_a_wildcard_matches_the_name_or_the_full_name_of_a_room(planted, database):
    change(database, lambda event: event.update(room="201", room_full_name="500-1-201 - Hall"))
    for room, is_found in (("201", True), ("500-1-*", True), ("*hall", True), ("500", False)):
        assert bool(get(planted, f"/export/categ/2.json?room={room}")) is is_found
