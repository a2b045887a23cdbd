"""What feeds and calendars call their entries, and when these changed, as readers understand it.

Covers `export.formats.site`.
"""

from __future__ import annotations

import feedparser
import icalendar
import pytest
import ZODB
from werkzeug.test import Client

from export.app import make_app
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.signature import build_indico_request
from scheduler.store import transact
from tests.export.conftest import NOW
from tests.export.planting import change, key_of_ann, plant

CATEGORY = "/export/categ/2"
EVENT = "/export/event/137346"
DETAILS = ("events", "contributions", "subcontributions", "sessions")
ADDRESSES = (
    *(f"{CATEGORY}.{{}}?detail={detail}" for detail in DETAILS),
    *(f"{EVENT}/contribution/0-1-2-3.{{}}?detail={detail}" for detail in DETAILS[1:3]),
    *(f"{EVENT}/session/0.{{}}?detail={detail}" for detail in DETAILS[1:3]),
)
URL = "https://elsewhere.example.org/page"


@pytest.fixture(params=["https://indico.server", "https://example.org/in/dico", ""])
def site(request, database, stopped_clock):
    """A client of an installation with an address or without, and what its ids begin with."""
    transact(database, plant)
    change(database, lambda event: event.update(url=URL))
    transact(database, add_events)
    base_url = request.param
    client = Client(make_app(database, {"base_url": base_url, "api_mode": "KEY"}))
    return client, base_url or "http://localhost"


def add_events(connection):
    found = catalogue(connection)
    for number, url in (("7", URL), ("8", "https://example.org/a\r\nb c"), ("9", None)):
        event = Conference(number, f"event {number}")
        event.update(url=url)
        if number != "9":
            event.setDates(NOW, NOW)
        found.add_event(event, found.category("2"))


def feed(client, address):
    answer = client.get(address.format("atom"))
    assert answer.status_code == 200
    parsed = feedparser.parse(answer.data)
    assert parsed.bozo == 0
    return parsed


def entries(client, address):
    answer = client.get(address.format("ics"))
    assert answer.status_code == 200
    return icalendar.Calendar.from_ical(answer.data).walk("VEVENT")


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_entry_has_an_id_of_its_own_at_this_installation(site, address):
    client, own = site
    parsed = feed(client, address)
    ids = [entry.id for entry in parsed.entries]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(one.startswith(f"{own}/event/") for one in ids)
    assert parsed.feed.id == f"{own}{address.format('atom')}"
    assert all("://" in entry.link and len(entry.link.split()) == 1 for entry in parsed.entries)
    assert ids == [entry.id for entry in feed(client, address).entries]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_entry_of_a_calendar_has_an_id_of_its_own_at_this_installation(site, address):
    client, own = site
    domain = own.split("/")[2]
    shown = entries(client, address)
    uids = [str(entry["UID"]) for entry in shown]
    assert uids
    assert len(set(uids)) == len(uids)
    assert all(uid.endswith(f"@{domain}") for uid in uids)
    assert all("://" in str(entry["URL"]) for entry in shown)


def test_an_id_does_not_depend_on_where_a_talk_is_scheduled(site, database):
    client, own = site
    address = f"{EVENT}/contribution/3.{{}}"
    change(database, lambda event: event.contributions["3"].update(session=None))
    (entry,) = feed(client, address).entries
    assert entry.id == f"{own}/event/137346/contribution/3"


@pytest.mark.parametrize("kind", ["atom", "ics"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_unchanged_feed_is_not_sent_again(site, address, kind, stopped_clock):
    client, _ = site
    first = client.get(address.format(kind))
    stopped_clock.advance(3600)
    again = client.get(address.format(kind))
    assert again.data == first.data
    etag = {"If-None-Match": first.headers["ETag"]}
    assert client.get(address.format(kind), headers=etag).status_code == 304


def test_the_time_of_an_entry_of_a_feed_is_that_of_its_last_change(site, database, stopped_clock):
    client, _ = site
    stopped_clock.advance(3600)
    change(database, lambda event: event.setTitle("Another"))
    parsed = feed(client, f"{CATEGORY}.{{}}")
    times = {entry.id.rpartition("/event/")[2]: entry.updated for entry in parsed.entries}
    before, after = "2014-03-24T22:30:00Z", "2014-03-24T23:30:00Z"
    assert times == {"7/": before, "8/": before, "9/": before, "137346/": after}
    assert parsed.feed.updated == after


def test_a_feed_of_nothing_is_one_and_stays_the_same(site, stopped_clock):
    client, _ = site
    address = "/export/event/1.atom"
    assert feed(client, address).entries == []
    first = client.get(address).data
    stopped_clock.advance(3600)
    assert client.get(address).data == first


def test_a_feed_is_the_same_for_every_signature(site, database):
    client, own = site
    key, secret = transact(database, key_of_ann)
    signed = build_indico_request(f"{EVENT}.atom", {"tz": "UTC"}, key, secret)
    assert feed(client, signed).feed.id == f"{own}{EVENT}.atom?tz=UTC"


@pytest.mark.parametrize("host", ["", "a b", 'x"y', "[::1]:80", "events.example.org:81"])
def test_a_host_of_any_name_makes_addresses_that_can_be_read(host):
    database = ZODB.DB(None)
    transact(database, plant)
    client = Client(make_app(database))
    headers = {"Host": host}
    parsed = feedparser.parse(client.get(f"{EVENT}.atom", headers=headers).data)
    assert parsed.bozo == 0
    assert parsed.entries[0].id.endswith("/event/137346/")
    (entry,) = icalendar.Calendar.from_ical(client.get(f"{EVENT}.ics", headers=headers).data).walk(
        "VEVENT"
    )
    assert str(entry["UID"]).startswith("indico-event-137346@")
    database.close()
