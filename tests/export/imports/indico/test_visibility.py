"""No imported part is seen by more people than at its source, in any answer of any format."""

from __future__ import annotations

import contextlib
import json
from functools import cache

import pytest
import ZODB
from dateutil.rrule import SECONDLY
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from export.app import make_app
from export.auth.tokens import SCOPES, tokens
from export.imports.loader import load
from export.imports.node import Node
from export.imports.source import items_of, of_answer
from export.model import listeners
from export.model.catalogue import catalogue
from export.people.user import Avatar, users
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from livesync.components import ObjectChangeListener
from livesync.tasks import LiveSyncUpdateTask
from scheduler.store import open_database, transact, using
from tests.export.addresses import READ, addresses
from tests.export.planting_secrets import MANAGER, READER, STRANGER, plant_secrets
from tests.export.test_secrets import found_in, leaked

EVENTS = "/export/event/137346-555-556-557.json"
JDOE = "jdoe@example.com"


UNTOLD = {"hush-reader-session-title", "hush-reader-category-title"}
"""Titles that the answer for an open part tells, and not that they are of something closed."""


def give(connection, *names):
    """Return the header of a token of each user, who is known by an e-mail address."""
    known, found = users(connection), tokens(connection)
    for name in names:
        if known.find(name) is None:
            known.add(Avatar(name))
        known.find(name).email = f"{name}@example.org"
    return {
        name: {"Authorization": f"Bearer {found.create(name, 'all', SCOPES)[1]}"} for name in names
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What a manager of everything is answered, in each detail."""
    database = open_database(f"file://{tmp_path_factory.mktemp('source')}/data.fs")
    transact(database, plant_secrets)
    headers = transact(database, lambda connection: give(connection, MANAGER, READER))[MANAGER]
    client = Client(make_app(database, {"base_url": "https://indico.server"}))

    @cache
    def answer(detail):
        return client.get(f"{EVENTS}?detail={detail}&tz=Europe/Zurich", headers=headers).data

    yield answer
    database.close()


@pytest.fixture(params=["events", "contributions", "subcontributions", "sessions"])
def copied(request, answers, tmp_path, database):
    """A client of a database that imported what the manager was answered, and its callers."""
    file = tmp_path / "answer.json"
    file.write_bytes(answers(request.param))
    assert b"hush-reader" in file.read_bytes()
    callers = transact(database, lambda connection: give(connection, STRANGER, READER))
    for done in load(database, items_of(file)):
        assert done.problems == []
        assert len(done.events) == 4
    return Client(make_app(database, {"base_url": "https://indico.server"})), {None: {}, **callers}


def test_a_copy_tells_nobody_more_than_its_source(copied):
    client, callers = copied
    told = {
        (user, address): leaked(found_in(client.get(address, headers=headers)), user) - UNTOLD
        for user, headers in callers.items()
        for address in addresses(READ)
        if "userid" not in address or "sessions" in address or "subcontributions" in address
    }
    assert {where: words for where, words in told.items() if words} == {}


@pytest.mark.parametrize("is_open_too", [False, True])
def test_a_new_category_is_closed_until_an_open_event_is_in_it(
    database, client, tmp_path, is_open_too
):
    answer = answer_with({"category": "hush-category", "hasAnyProtection": True})
    if is_open_too:
        answer["results"].append({**answer_with({})["results"][0], "id": "5"})
        answer["results"][1]["category"] = "hush-category"
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer))
    list(load(database, items_of(file)))
    told = {word for path in every_address("4-5") for word in found_in(client.get(path))}
    assert told == ({"hush-category"} if is_open_too else set())


def test_a_copy_tells_readers_what_is_closed_for_others(copied):
    client, callers = copied
    shown = client.get(f"{EVENTS}?detail=sessions", headers=callers[READER])
    words = found_in(shown)
    assert {"hush-reader-event-title", "hush-reader-event-folder"} <= words
    assert leaked(words, READER) == set()


def secret(name, **more):
    """A part of an Indico's answer that only jdoe may see."""
    return {"title": f"hush-{name}", "allowed": {"users": [JDOE], "groups": []}, **more}


def contribution(number, **more):
    dates = {"date": "2026-12-02", "time": "09:00:00", "tz": "Europe/Zurich"}
    nobody = {"users": [], "groups": []}
    return {
        **{"id": str(number), "title": f"Talk {number}", "startDate": dates, "endDate": dates},
        **{"duration": 20, "allowed": nobody, **more},
    }


def folder(number, name, is_protected=True, **more):
    url = f"https://indico.example.org/event/4/attachments/{number}/{number}/hush-{name}.txt"
    file = {"id": number, "title": f"hush-{name}", "type": "file", "download_url": url}
    return {
        **{"id": number, "title": f"hush-{name}" if is_protected else "Open", "description": ""},
        **{"is_protected": is_protected, "attachments": [{**file, "is_protected": True}], **more},
    }


def material(number, name, **more):
    url = f"https://indico.example.org/event/4/attachments/{number}/{number}/hush-{name}.txt"
    file = {"id": str(number), "name": f"hush-{name}", "fileName": f"hush-{name}", "url": url}
    return {"_type": "Material", "id": str(number), "title": "M", "resources": [file], **more}


def slot(number, session, *contributions, **more):
    dates = {"date": "2026-12-02", "time": "09:00:00", "tz": "Europe/Zurich"}
    return {
        **{"id": number, "session": session, "startDate": dates, "endDate": dates},
        **{"contributions": list(contributions), **more},
    }


CLOSED = {
    "talk": {"contributions": [contribution(1, **secret("talk"))]},
    "talk by its flag": {
        "contributions": [contribution(1, title="hush-talk", hasAnyProtection=True)]
    },
    "unpublished talk": {"contributions": [contribution(1, title="hush-talk", isPublished=False)]},
    "protected by its mode": {
        "contributions": [contribution(1, title="hush-talk", protection="protected")]
    },
    "subcontribution": {
        "contributions": [
            contribution(1, subContributions=[{"id": 1, "duration": 5, **secret("part")}])
        ]
    },
    "session of a closed talk": {
        "contributions": [contribution(1, session="hush-session", **secret("talk"))]
    },
    "session": {
        "sessions": [slot(2, {"id": "1", **secret("session")}, contribution(1, title="hush-x"))]
    },
    "session by its second slot": {
        "sessions": [
            slot(2, {"id": "1", "title": "hush-session"}, contribution(1, title="hush-x")),
            slot(3, {"id": "1", "title": "hush-session"}, **secret("slot", slotTitle="hush-slot")),
        ]
    },
    "folder": {"folders": [folder(3, "folder")]},
    "file": {"folders": [folder(3, "file", is_protected=False)]},
    "material of a closed folder": {
        "folders": [folder(3, "folder")],
        "material": [material(3, "folder", title="hush-folder")],
    },
    "file in an open material": {
        "folders": [folder(3, "file", is_protected=False)],
        "material": [material(3, "file")],
    },
    "link in an open material": {
        "folders": [
            {
                **folder(3, "link", is_protected=False, attachments=[]),
                "attachments": [
                    {
                        **{"id": 9, "title": "hush-link", "type": "link", "is_protected": True},
                        "link_url": "https://example.org/hush-link",
                    }
                ],
            }
        ],
        "material": [
            {
                **{"id": "3", "title": "M"},
                "resources": [{"name": "hush-link", "url": "https://example.org/hush-link"}],
            }
        ],
    },
    "minutes of a closed talk": {
        "contributions": [
            contribution(
                1,
                **secret("talk"),
                note={"html": "hush-note"},
                material=[{**material(1, "minutes"), "_type": "Minutes", "id": "minutes"}],
            )
        ]
    },
    "event": {"title": "hush-event", "allowed": {"users": [JDOE], "groups": []}},
    "event in no category": {"title": "hush-event", "categoryId": None},
    "category that only some may see": {
        "categoryId": "8",
        "title": "hush-event",
        "hasAnyProtection": True,
    },
}


def answer_with(parts):
    dates = {"date": "2026-12-02", "time": "09:00:00", "tz": "Europe/Zurich"}
    path = [{"id": "0", "name": "Home"}, {"id": "8", "name": None}]
    event = {"id": "4", "title": "Open", "categoryId": 3, "startDate": dates, "endDate": dates}
    return {
        "url": "https://indico.example.org/export/event/4.json",
        "additionalInfo": {"eventCategories": [{"categoryId": "8", "path": path}]},
        "results": [{**event, "hasAnyProtection": False, **parts}],
    }


@pytest.mark.parametrize("kind", CLOSED)
def test_a_closed_part_is_told_to_nobody_else(database, client, tmp_path, kind):
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer_with(CLOSED[kind])))
    callers = transact(database, lambda connection: give(connection, STRANGER))
    assert [done.problems for done in load(database, items_of(file))] == [[]]
    for headers in ({}, callers[STRANGER]):
        for path in every_address("4"):
            assert found_in(client.get(path, headers=headers)) == set(), path


@pytest.mark.parametrize("root", [0, "0"])
def test_an_event_in_the_root_category_is_for_everybody(database, client, tmp_path, root):
    file = tmp_path / "answer.json"
    answer = answer_with({"categoryId": root})
    del answer["additionalInfo"]
    file.write_text(json.dumps(answer))
    assert [done.notes for done in load(database, items_of(file))] == [[]]
    (shown,) = client.get("/export/categ/0.json").json["results"]
    assert shown["title"] == "Open"


def test_a_closed_part_is_told_to_those_who_are_named(database, client, tmp_path):
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer_with(CLOSED["talk"])))
    headers = transact(database, give_jdoe)
    list(load(database, items_of(file)))
    shown = client.get("/export/event/4.json?detail=contributions", headers=headers)
    assert found_in(shown) == {"hush-talk"}


def give_jdoe(connection):
    headers = give(connection, "7")["7"]
    users(connection).find("7").email = JDOE.upper()
    return headers


def every_address(event):
    """The addresses of an event and its parts, in every format and detail."""
    paths = (
        *(f"/export/event/{event}", "/export/categ/0-3-8", f"/export/timetable/{event}"),
        *(f"/export/event/{event}/contribution/1", f"/export/event/{event}/session/0-1"),
        *("/export/event/search/hush", "/export/event/search/open"),
    )
    for path in paths:
        for kind in ("json", "jsonp", "xml", "html", "ics", "atom"):
            for detail in ("events", "contributions", "subcontributions", "sessions"):
                yield f"{path}.{kind}?detail={detail}&occ=yes"


@pytest.fixture
def pushed(database, tmp_path, clock):
    """What makes agents for the public push all that is recorded, and returns what they sent."""
    listener = ObjectChangeListener()
    listeners.subscribe(listener)

    def register(connection):
        manager = SyncManager.getDBInstance(connection)
        for form in ("json", "marcxml"):
            agent = FolderAgent(form, "", "", 1, folder=tmp_path / form, format=form)
            agent.setActive(True)
            manager.registerNewAgent(agent)

    def push():
        clock.advance(2 * 86400)  # every bin that was begun today is complete
        with contextlib.closing(database.open()) as connection, using(connection):
            LiveSyncUpdateTask(SECONDLY).run()
            connection.transaction_manager.abort()
        return b"".join(file.read_bytes() for file in tmp_path.glob("*/0*"))

    transact(database, register)
    yield push
    listeners.unsubscribe(listener)


@pytest.mark.parametrize("kind", CLOSED)
def test_an_agent_for_the_public_tells_no_closed_part(database, tmp_path, pushed, kind):
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(answer_with(CLOSED[kind])))
    list(load(database, items_of(file)))
    sent = pushed()
    assert b"INDICO.4" in sent
    assert b"hush" not in sent


MARKS = st.sampled_from(
    [
        *(
            {"allowed": {"users": [JDOE], "groups": []}},
            {"allowed": {"users": [], "groups": ["g"]}},
        ),
        *({"hasAnyProtection": True}, {"isProtected": True}, {"is_protected": "true"}),
        *({"protection_mode": "protected"}, {"published": False}, {"is_public": 0}),
    ]
)
MARK = st.one_of(st.just({}), st.just({}), st.just({"allowed": {"users": [], "groups": []}}), MARKS)


def is_marked(mark):
    return bool(mark) and mark != {"allowed": {"users": [], "groups": []}}


@settings(deadline=None, max_examples=60)
@given(
    event=MARK,
    sessions=st.lists(MARK, max_size=3),
    talks=st.lists(st.tuples(MARK, MARK, st.integers(0, 3), MARK), max_size=5),
)
def test_everybody_sees_the_parts_that_are_open_with_all_that_they_are_in(event, sessions, talks):
    """Compare with a model: a part is open if it is not marked, nor anything that it is in."""
    made = [
        contribution(
            number,
            **{**mark, "subContributions": [{"id": 1, "title": "s", "duration": 1, **sub}]},
            folders=[{**folder(1, "x", is_protected=False, attachments=[]), **own}],
        )
        for number, (mark, sub, _, own) in enumerate(talks)
    ]
    places = [where for _, _, where, _ in talks]
    inside = [
        [talk for talk, where in zip(made, places, strict=True) if where == number]
        for number in range(len(sessions))
    ]
    outside = [talk for talk, at in zip(made, places, strict=True) if at >= len(sessions)]
    blocks = [
        slot(number + 10, {"id": str(number), "title": "S", **mark}, *inside[number])
        for number, mark in enumerate(sessions)
    ]
    answer = answer_with({"sessions": blocks, "contributions": outside, "folders": [], **event})
    (item,) = of_answer(Node.of(answer, ""))
    draft = item.make()
    assert draft.problems == []
    with contextlib.closing(ZODB.DB(None)) as database:
        transact(database, lambda connection: check(draft, connection, event, sessions, talks))


def check(draft, connection, event, sessions, talks):
    stored = draft.enter(catalogue(connection))
    is_open = not is_marked(event)
    assert stored.canAccess(None) == is_open
    opened = [is_open and not is_marked(mark) for mark in sessions]
    for number, expected in enumerate(opened):
        session = stored.sessions[str(number)]
        assert session.canAccess(None) == expected
        assert session.slots[0].canAccess(None) == expected
    for number, (mark, sub, where, own) in enumerate(talks):
        talk = stored.contributions[str(number)]
        above = opened[where] if where < len(sessions) else is_open
        assert talk.canAccess(None) == (above and not is_marked(mark))
        (part,) = talk.subcontributions
        assert part.canAccess(None) == (talk.canAccess(None) and not is_marked(sub))
        assert talk.folders[0].canAccess(None) == (talk.canAccess(None) and not is_marked(own))
