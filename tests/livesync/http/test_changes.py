"""Whoever cannot be pushed to pulls the feed: in JSON, as CloudEvents, as server-sent events.

Covers `livesync.feed.pulled_changes`, `livesync.http.changes`, `livesync.http.event_stream`,
`livesync.http.stream_places`, `livesync.records.cloud_event`, `livesync.track.journal`.
"""

from __future__ import annotations

import json
import random
from contextlib import closing

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from werkzeug.test import Client

from daemon.config import Web
from daemon.web.server import WebServer
from export.app import make_app
from export.auth.tokens import tokens
from export.model.access import Protection
from export.model.catalogue import catalogue
from livesync import SyncManager
from livesync.components import connect, disconnect
from livesync.http.stream_places import STREAMS_AT_ONCE, end_streams
from scheduler.store import open_database, transact
from tests.export.answers.random_writes import (
    MANAGER,
    MEMBER,
    STRANGER,
    RandomWrites,
    add_event,
    plant,
)

ADDRESS = "/export/changes.json"


class Site:
    def __init__(self, database):
        self.database = database
        self.tokens = transact(database, plant)
        self.app = make_app(database, {"base_url": "https://x.example"})
        self.change(rename("20", "First"))  # what was prepared before is not undone

    def get(self, user=None, address=ADDRESS, **query):
        headers = {} if user is None else {"Authorization": f"Bearer {self.tokens[user]}"}
        return Client(self.app).get(address, headers=headers, query_string=query or None)

    def changes(self, user=None, **query):
        answer = self.get(user, **query)
        assert answer.status_code == 200, answer.text
        return [(one["type"], one["id"], one["status"]) for one in answer.json["results"]]

    def position(self):
        return self.get(MANAGER, limit=1).headers["Position"] and self.last()

    def last(self):
        position = None
        while True:
            answer = self.get(MANAGER, **({"since": position} if position else {}))
            position = answer.json["additionalInfo"]["position"]
            if answer.json["complete"]:
                return position

    def change(self, work):
        transact(self.database, lambda connection: work(catalogue(connection)))


@pytest.fixture
def site(tmp_path):
    connect()
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        site = Site(database)
        yield site
        site.app.close()
    disconnect()


def rename(number, title="New"):
    return lambda found: found.event(number).setTitle(title)


def test_changes_come_in_the_order_of_commits_each_with_its_transaction(site):
    before = site.last()
    for number in ("22", "20", "21"):
        site.change(rename(number))
    site.change(lambda found: (rename("20", "A")(found), rename("22", "B")(found)))
    results = site.get(since=before).json["results"]
    assert [one["id"] for one in results[:3]] == ["22", "20", "21"]
    assert {one["id"] for one in results[3:]} == {"20", "22"}
    numbers = [one["transaction"] for one in results]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 4
    assert results[0]["title"] == "B"
    assert "data_changed" in results[0]["actions"]


def test_sequenced_or_not_the_feed_is_the_same(site):
    chance = random.Random(1)
    before = site.last()
    writes = RandomWrites(site.database, 1)
    for _ in range(40):
        writes.commit_one()
        if chance.random() < 0.3:
            transact(site.database, lambda found: SyncManager.getDBInstance(found).sequence())
    pending = site.get(MANAGER, since=before, limit=1000).json["results"]
    transact(site.database, lambda found: SyncManager.getDBInstance(found).sequence())
    assert site.get(MANAGER, since=before, limit=1000).json["results"] == pending
    told, position = [], before
    while True:
        answer = site.get(MANAGER, since=position, limit=3).json
        told += answer["results"]
        position = answer["additionalInfo"]["position"]
        if answer["complete"]:
            break
    assert told == pending


def test_what_is_hidden_or_deleted_is_told_to_those_who_saw_it_alone(site):
    before = site.last()
    site.change(rename("23"))
    assert site.changes(MEMBER, since=before) == [("event", "23", "changed")]
    assert site.changes(STRANGER, since=before) == []
    before = site.last()
    site.change(lambda found: found.remove_event(found.event("24")))
    assert ("event", "24", "deleted") in site.changes(MEMBER, since=before)
    assert site.changes(STRANGER, since=before) == []
    before = site.last()
    site.change(lambda found: found.category("3").setProtection(Protection.RESTRICTED))
    told = site.changes(since=before)
    assert {("event", number, "deleted") for number in ("20", "21", "22")} <= set(told)
    before = site.last()
    site.change(rename("20", "Secret"))
    assert site.changes(since=before) == []
    assert site.changes(MANAGER, since=before) == [("event", "20", "changed")]


def test_a_reader_may_want_some_kinds_classes_and_categories_only(site):
    before = site.last()
    site.change(lambda found: (rename("20")(found), rename("23")(found)))
    site.change(lambda found: found.event("20").getContributionById("1").setTitle("New"))
    assert site.changes(MANAGER, since=before, type="contribution") == [
        ("contribution", "20.1", "changed")
    ]
    assert site.changes(MANAGER, since=before, category="2") == [("event", "23", "changed")]
    classes = {"class": "export.model.contribution.Contribution"}
    assert len(site.changes(MANAGER, since=before, **classes)) == 1
    assert site.changes(MANAGER, since=before, type="event,contribution", category="4") == []


def test_a_reader_of_a_category_hears_of_what_leaves_it_and_of_what_comes(site):
    before = site.last()
    site.change(lambda found: found.move_event(found.event("23"), found.category("3")))
    left = {("event", "23", "deleted"), ("contribution", "23.1", "deleted")}
    assert left <= set(site.changes(MANAGER, since=before, category="2"))
    came = {("event", "23", "changed"), ("contribution", "23.1", "changed")}
    assert came <= set(site.changes(MANAGER, since=before, category="3"))
    assert site.changes(MANAGER, since=before, category="4") == []
    assert site.changes(STRANGER, since=before, category="2") == []


def test_an_event_that_is_replaced_is_there_still_with_all_in_it(site):
    before = site.last()

    def replace(found):
        category = found.event("20").getOwner()
        found.remove_event(found.event("20"))
        add_event(found, "20", category)

    site.change(replace)
    told = site.changes(since=before)
    assert {each for each in told if each[0] != "category"} == {
        ("event", "20", "created"),
        ("contribution", "20.1", "created"),
        ("contribution", "20.2", "created"),
    }


def test_a_position_that_is_too_old_is_gone(site):
    before = site.last()
    site.change(rename("20"))
    transact(site.database, lambda found: SyncManager.getDBInstance(found).reset())
    answer = site.get(since=before)
    assert answer.status_code == 410
    oldest = answer.json["oldest"]
    site.change(rename("20", "Newer"))
    assert site.changes(since=oldest) == [("event", "20", "changed")]
    assert site.get(since="A" * 28).status_code == 409
    assert site.get(since="x").status_code == 400


def test_the_next_page_is_linked(site):
    before = site.last()
    site.change(rename("20"))
    site.change(rename("21"))
    link = site.get(since=before, limit=1).headers["Link"]
    address = link[1:].partition(">")[0].removeprefix("https://x.example")
    assert [one["id"] for one in site.get(address=address).json["results"]] == ["21"]


def test_cloud_events_are_what_the_specification_says(site):
    before = site.last()
    site.change(rename("20"))
    site.change(lambda found: found.remove_event(found.event("21")))
    answer = site.get(address="/export/changes.cloudevents", since=before)
    assert answer.headers["Content-Type"] == "application/cloudevents-batch+json"
    for told in answer.json:
        body = json.dumps(told).encode()
        message = HTTPMessage({"content-type": "application/cloudevents+json"}, body)
        event = from_http_event(message)
        assert event.get_source() == "https://x.example/export/changes"
        assert event.get_data()["id"] == told["subject"].partition("/")[2]
    assert [one["type"] for one in answer.json][:1] == ["zodb-relay.event.changed"]
    assert len({one["id"] for one in answer.json}) == len(answer.json)
    assert (
        site.get(address="/export/changes.cloudevents", since=answer.headers["Position"]).json == []
    )


@pytest.fixture
def server(site):
    server = WebServer(site.app, Web(port=0, threads=1))
    yield server
    end_streams(site.database)
    server.close()


def events(response):
    """Yield the events of a stream, with their ids."""
    event = {}
    for line in response.iter_lines():
        name, colon, value = line.partition(": ")
        if name and colon:
            event[name] = value
        elif event:
            yield event["id"], json.loads(event["data"])
            event = {}


def test_a_reader_that_listens_is_told_at_once_and_goes_on_where_it_was(site, server):
    before = site.last()
    with httpx.stream("GET", f"{server.url}/export/changes.sse?since={before}") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        site.change(rename("20"))
        last, first = next(events(response))
    assert first["id"] == "20"
    site.change(rename("21"))
    headers = {"Last-Event-ID": last}
    with httpx.stream("GET", f"{server.url}/export/changes.sse", headers=headers) as response:
        _, second = next(events(response))
    assert second["id"] == "21"


def test_listeners_take_no_thread_of_others_and_are_so_many_at_most(site, server):
    address = f"{server.url}/export/changes.sse"
    with httpx.Client(timeout=30) as client:
        opened = []
        for _ in range(STREAMS_AT_ONCE):
            request = client.build_request("GET", address)
            opened.append(client.send(request, stream=True))
        assert {each.status_code for each in opened} == {200}
        refused = client.get(address)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
        assert client.get(f"{server.url}/export/event/20.json").status_code == 200
        for each in opened:
            each.close()


def test_a_listener_whose_token_is_revoked_hears_no_more(site, server):
    headers = {"Authorization": f"Bearer {site.tokens[MEMBER]}"}
    address = f"{server.url}/export/changes.sse"
    with httpx.stream("GET", address, headers=headers) as response:
        told = events(response)
        site.change(rename("23"))
        assert next(told)[1]["id"] == "23"

        def revoke(connection):
            ring = tokens(connection)
            ring.revoke(ring.find(site.tokens[MEMBER]))

        transact(site.database, revoke)
        assert next(told, None) is None


def test_at_rest_nothing_is_written(site):
    site.change(lambda found: add_event(found, "40", found.root))
    site.last()
    tid = site.database.lastTransaction()
    for _ in range(3):
        site.changes(MANAGER)
    assert site.database.lastTransaction() == tid
