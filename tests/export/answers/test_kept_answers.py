"""A kept answer is never another one than that which is computed anew.

Covers `scheduler.store.invalidations`, `scheduler.store.read_set`, `export.answers.answer_cache`,
`export.answers.kept_answer`, `export.answers.written_answer`, `export.answers.reading`.
"""

from __future__ import annotations

import os
import random
import re
import threading
from contextlib import closing
from functools import partial
from itertools import product

import pytest
import ZODB
from werkzeug.test import Client

from export.app import make_app
from export.collection import Collection
from export.fossilize import IFossil
from export.model.catalogue import catalogue
from export.people.group import groups
from export.people.user import users
from scheduler.clock import nowutc
from scheduler.store import open_database, transact
from tests.export.answers.random_writes import (
    ADDRESSES,
    ASKERS,
    MEMBER,
    STRANGER,
    RandomWrites,
    plant,
    undo_last,
)
from tests.export.conftest import NOW
from tests.waiting import wait_for

WRITES = 10_000 if os.environ.get("SOAK") else 150
ASKED, READS = 12, 5
"""So many questions are asked again and again, one of them a new one after each write; and so many
of them after each write."""

STAMP = re.compile(rb'("ts": |<ts>|X-POSITION:|since=)[\w-]+')
BASE = {"base_url": "https://x.example"}


class Site:
    """One database, served with and without answers that are kept."""

    def __init__(self, database):
        self.database = database
        self.tokens = transact(database, plant)
        self.keeping = make_app(database, BASE)
        self.computing = make_app(database, {**BASE, "answer_cache": 0})
        self.asked = self.kept = 0

    def check(self, address, user):
        """Compare both answers to one question."""
        before = len(self.cache)
        answers = [self.ask(app, address, user) for app in (self.keeping, self.computing)]
        assert answers[0] == answers[1], (address, user)
        self.asked += 1
        self.kept += len(self.cache) == before

    def ask(self, app, address, user):
        headers = {} if user is None else {"Authorization": f"Bearer {self.tokens[user]}"}
        answer = Client(app).get(address, headers=headers)
        told = [answer.headers.get(name) for name in ("ETag", "Cache-Control", "Content-Type")]
        return answer.status_code, STAMP.sub(rb"\1", answer.data), told

    @property
    def cache(self):
        return self.keeping._reading._cache

    def close(self):
        self.keeping.close()
        self.computing.close()


@pytest.fixture
def site(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        site = Site(database)
        yield site
        site.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_after_any_writes_everybody_is_answered_as_from_a_snapshot(site):
    seed = random.randrange(10**6)
    chance, writes = random.Random(seed), RandomWrites(site.database, seed)
    questions = list(product(ADDRESSES, ASKERS))
    asked = chance.sample(questions, ASKED)
    for _ in range(WRITES):
        writes.commit_one()
        for address, user in chance.sample(asked, READS):
            site.check(address, user)
        asked[chance.randrange(ASKED)] = chance.choice(questions)
    assert writes.done > WRITES // 3, seed
    assert site.kept > site.asked // 20, seed  # else this test compares nothing


def test_a_user_who_leaves_a_group_sees_no_more_than_others_until_that_is_undone(site):
    def sees():
        site.check("/export/event/23.json", MEMBER)
        return b"Blue fish" in site.ask(site.keeping, "/export/event/23.json", MEMBER)[1]

    assert sees()
    transact(site.database, lambda found: groups(found).find("crew").remove(MEMBER))
    assert not sees()
    undo_last(site.database)
    assert sees()


def test_another_client_of_the_database_changes_answers_too(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    with closing(open_database(uri)) as own, closing(open_database(uri)) as other:
        site = Site(own)
        for number in range(10):
            site.check("/export/event/20.json", None)
            transact(other, partial(retitle, number=number))
            wait_for(partial(has_title, site, f"N{number}"))
        site.close()


def retitle(connection, number):
    for event_id in ("20", "21"):
        catalogue(connection).event(event_id).setTitle(f"N{number}")


def has_title(site, title):
    answer = Client(site.keeping).get("/export/event/20.json").json
    return answer["results"][0]["title"] == title


def test_no_answer_is_older_than_the_last_commit_while_others_write(site):
    """Two events get the same title in one transaction: no answer has two titles."""
    committed, faults, over = [0], [], threading.Event()

    def write():
        for number in range(1, 150):
            transact(site.database, partial(retitle, number=number))
            committed[0] = number
        over.set()

    def read():
        client = Client(site.keeping)
        while not over.is_set():
            least = committed[0]
            results = client.get("/export/event/20-21.json").json["results"]
            titles = {one["title"] for one in results}
            if len(titles) != 1 or int(titles.pop()[1:]) < least:
                faults.append((least, results))

    transact(site.database, partial(retitle, number=0))
    threads = [threading.Thread(target=each) for each in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_a_question_that_is_asked_again_is_not_computed(site, monkeypatch):
    first = Client(site.keeping).get("/export/event/20.json")
    monkeypatch.setattr(catalogue.__globals__["Catalogue"], "event", None)
    again = Client(site.keeping).get("/export/event/20.json")
    assert again.json["results"] == first.json["results"]
    confirmed = Client(site.keeping).get(
        "/export/event/20.json", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert confirmed.status_code == 304


def test_changes_elsewhere_leave_answers_kept(site):
    for number in ("20", "21"):
        site.check(f"/export/event/{number}.json", None)
    count = len(site.cache)
    transact(site.database, lambda found: catalogue(found).event("20").setDescription("New"))
    site.cache.state()
    assert len(site.cache) == count - 1


def test_the_room_is_bounded_and_what_was_not_used_longest_goes_first(site):
    site.cache._most = 20_000
    client = Client(site.keeping)
    for number in range(20):
        client.get("/export/event/20.json")
        client.get(f"/export/event/21.json?number={number}")
        assert 0 < site.cache.size <= 20_000
    kept = len(site.cache)
    assert kept < 20
    client.get("/export/event/20.json")
    assert len(site.cache) == kept


def test_an_answer_from_today_on_is_another_tomorrow(site, stopped_clock):
    transact(
        site.database,
        lambda found: catalogue(found).event("20").setDates(stopped_clock.now, stopped_clock.now),
    )
    address = "/export/categ/3.json?from=today&to=today"
    client = Client(site.keeping)
    assert [one["id"] for one in client.get(address).json["results"]] == ["20"]
    assert client.get(address).json["ts"] == int(NOW.timestamp())
    stopped_clock.now = NOW.replace(day=NOW.day + 1)
    answer = client.get(address).json
    assert (answer["results"], answer["ts"]) == ([], int(stopped_clock.now.timestamp()))


class IMomentFossil(IFossil):
    def id(): ...


class Clocks(Collection):
    """What there is depends on the time."""

    address = "/export/clock"
    details = {"moment": IMomentFossil}

    def members(self):
        return [Moment(str(nowutc().second))]

    def find(self, id):
        return Moment(id)

    def allows(self, obj, user):
        return True


class Moment:
    def __init__(self, id):
        self.id = id


def test_an_answer_that_depends_on_the_time_is_not_kept(stopped_clock):
    database = ZODB.DB(None)
    client = Client(make_app(database, resources=[Clocks]))
    for second in (1, 2):
        stopped_clock.now = NOW.replace(second=second)
        (shown,) = client.get("/export/clock.json").json["results"]
        assert shown["id"] == str(second)
    database.close()


@pytest.mark.parametrize(("user", "keeper"), [(None, "public"), (STRANGER, "private")])
def test_a_public_answer_may_be_kept_by_proxies(site, user, keeper):
    headers = {} if user is None else {"Authorization": f"Bearer {site.tokens[user]}"}
    answer = Client(site.keeping).get("/export/event/20.json", headers=headers)
    assert answer.headers["Cache-Control"] == f"{keeper}, no-cache"
    assert answer.headers["Vary"] == "Authorization"


def test_the_date_of_the_last_change_is_told_when_no_other_can_have_it(site, stopped_clock):
    address = "/export/event/20.json"
    client = Client(site.keeping)
    stopped_clock.now = nowutc().replace(year=2001)
    assert "Last-Modified" not in client.get(address).headers
    stopped_clock.now = stopped_clock.now.replace(year=2100)
    modified = client.get(address).headers["Last-Modified"]
    headers = {"If-Modified-Since": modified}
    assert client.get(address, headers=headers).status_code == 304
    transact(site.database, lambda found: catalogue(found).event("20").setTitle("New"))
    assert client.get(address, headers=headers).status_code in {200, 304}


def test_a_blocked_user_is_refused_at_once(site):
    headers = {"Authorization": f"Bearer {site.tokens[MEMBER]}"}
    client = Client(site.keeping)
    assert client.get("/export/event/20.json", headers=headers).status_code == 200
    transact(site.database, lambda found: setattr(users(found).find(MEMBER), "blocked", True))
    assert client.get("/export/event/20.json", headers=headers).status_code == 401
