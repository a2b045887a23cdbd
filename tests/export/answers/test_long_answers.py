"""An answer that is too long to be held says piece by piece what a whole one says.

Covers `export.answers.long_answer`, `export.http.listing`, and `pieces` of `export.formats`;
`daemon.web.answer_task` by way of a server.
"""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta

import feedparser
import httpx
import icalendar
import pytest
from lxml import etree
from lxml.html import fragment_fromstring
from werkzeug.test import Client

from daemon.config import Web
from daemon.web.server import WebServer
from export.answers import long_answer
from export.app import make_app
from export.http import listing
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from scheduler.store import transact

EVENTS = 12
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALL = "/export/categ/0.{}?limit=all"


def plant(connection):
    found = catalogue(connection)
    found.add_category(Category("5", "Some"))
    for number in range(EVENTS):
        event = Conference(str(number), f"Event / {number}", "<b>Line\nend</b>")
        event.timezone = "Europe/Zurich" if number % 2 else "America/New_York"
        start = START + timedelta(hours=9 * number)
        event.setDates(start, start + timedelta(hours=1))
        found.add_event(event, found.category("5") if number % 3 else found.root)


@pytest.fixture
def app(database, monkeypatch):
    """An application that holds no answer as a whole that tells of more than two objects."""
    transact(database, plant)
    monkeypatch.setattr(listing, "HELD", 2)
    monkeypatch.setattr(long_answer, "PIECE", 100)
    return make_app(database, {"base_url": "https://x.example"})


@pytest.fixture
def whole(app, monkeypatch):
    """Returns what is answered where the answer is held."""

    def ask(address):
        with monkeypatch.context() as patch:
            patch.setattr(listing, "HELD", 1000)
            return Client(app).get(address)

    return ask


@pytest.fixture
def served(app):
    server = WebServer(app, Web(port=0))
    yield server
    server.close()


def sent(app, address):
    answer = Client(app).get(address, buffered=False)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not {"ETag", "Content-Length"} & set(answer.headers.keys())
    return answer


def same_time(told):
    return {**told, "ts": 0}


@pytest.mark.parametrize("more", ["", "&pretty=yes", "&order=title&offset=2", "&detail=sessions"])
def test_json_tells_the_same(app, whole, more):
    address = ALL.format("json") + more
    told = sent(app, address)
    assert same_time(told.json) == same_time(whole(address).json)
    assert told.headers["Position"] == whole(address).headers["Position"]


def test_pretty_json_is_indented_as_ever(app, whole):
    address = ALL.format("json") + "&pretty=yes"
    lines = sorted(line.rstrip(",") for line in sent(app, address).text.splitlines())
    expected = sorted(line.rstrip(",") for line in whole(address).text.splitlines())
    assert [each for each in lines if '"ts"' not in each] == [
        each for each in expected if '"ts"' not in each
    ]


def test_jsonp_tells_the_same(app):
    text = sent(app, ALL.format("jsonp") + "&jsonp=f").text
    assert text.startswith("// fetched from Indico\nf({")
    assert text.endswith("});")
    assert json.loads(text.partition("(")[2][:-2])["count"] == EVENTS


def test_the_name_of_a_bad_function_is_refused(app):
    assert Client(app).get(ALL.format("jsonp") + "&jsonp=1+1").status_code == 400


@pytest.mark.parametrize("more", ["", "&pretty=yes"])
def test_xml_tells_the_same(app, whole, more):
    def parts(answer):
        root = etree.fromstring(answer.data, etree.XMLParser(remove_blank_text=True))
        return root.tag, {one.tag: etree.tostring(one) for one in root if one.tag != "ts"}

    address = ALL.format("xml") + more
    assert parts(sent(app, address)) == parts(whole(address))


@pytest.mark.parametrize("more", ["", "&pretty=yes"])
def test_html_tells_the_same(app, whole, more):
    def days(answer):
        return [
            (day.findtext("span"), [one.text_content().split() for one in day[1]])
            for day in fragment_fromstring(answer.text)
        ]

    address = ALL.format("html")
    assert days(sent(app, address + more)) == days(whole(address))


def test_feeds_tell_the_same(app, whole):
    address = ALL.format("atom")
    told, expected = (feedparser.parse(each.data) for each in (sent(app, address), whole(address)))
    assert told.bozo == 0
    assert told.entries == expected.entries
    for name in ("id", "title", "updated", "links"):
        assert told.feed[name] == expected.feed[name]


@pytest.mark.parametrize("more", ["", "&alarms=30"])
def test_calendars_tell_the_same_and_each_zone_before_it_is_used(app, whole, more):
    address = ALL.format("ics") + more
    told = icalendar.Calendar.from_ical(sent(app, address).data)
    expected = icalendar.Calendar.from_ical(whole(address).data)
    assert told.walk("VEVENT") == expected.walk("VEVENT")
    assert told["x-position"] == expected["x-position"]
    known = set()
    for each in told.subcomponents:
        if each.name == "VTIMEZONE":
            known.add(each["tzid"])
        else:
            assert each["dtstart"].params["tzid"] in known
    assert known == {"Europe/Zurich", "America/New_York"}


def test_what_the_caller_may_not_see_is_left_out(app, database):
    transact(
        database, lambda found: catalogue(found).event("7").setProtection(Protection.RESTRICTED)
    )
    told = sent(app, ALL.format("json")).json
    assert (told["count"], "7" in {one["id"] for one in told["results"]}) == (EVENTS - 1, False)


def test_an_object_that_cannot_be_shown_is_left_out(app, monkeypatch):
    monkeypatch.setattr(Conference, "getLocation", failing(ValueError))
    assert sent(app, ALL.format("json")).json["count"] == EVENTS - 1


def failing(error):
    """Return a getter that raises *error* for one of the events."""

    def get(event):
        if event.getId() == "7":
            raise error("it broke")
        return ""

    return get


def test_all_is_of_the_state_at_which_it_was_begun(app, database):
    answer = sent(app, ALL.format("json"))
    pieces = answer.iter_encoded()
    beginning = next(pieces)
    transact(database, lambda found: catalogue(found).event("11").setTitle("Other"))
    rest = b"".join(pieces)
    assert "Other" not in (beginning + rest).decode()
    assert "Other" in sent(app, ALL.format("json")).text


def test_an_earlier_state_is_told_piece_by_piece_too(app, database):
    then = sent(app, ALL.format("json")).headers["Position"]
    transact(database, lambda found: catalogue(found).event("11").setTitle("Other"))
    told = sent(app, f"{ALL.format('json')}&at={then}")
    assert "Other" not in told.text
    assert told.headers["Position"] == then


def test_what_changed_is_told_as_a_whole(app, database):
    then = sent(app, ALL.format("json")).headers["Position"]
    transact(database, lambda found: catalogue(found).category("5").setTitle("Other"))
    answer = Client(app).get(f"{ALL.format('json')}&since={then}")
    assert answer.json["count"] == EVENTS - EVENTS // 3
    assert "vanished" in answer.json["additionalInfo"]


def test_a_page_that_is_long_names_the_next_one(app):
    answer = sent(app, "/export/categ/0.json?limit=5")
    assert len(answer.json["results"]) == 5
    assert "offset=5" in answer.headers["Link"]


def test_a_limit_is_a_number_or_the_word_all(app):
    assert Client(app).get("/export/categ/0.json?limit=many").status_code == 400
    assert Client(app).get("/export/categ/0.json?limit=1001").status_code == 400


def test_a_long_answer_is_not_kept(app):
    sent(app, ALL.format("json"))
    assert len(app._reading._cache) == 0


def test_a_place_is_free_again_when_the_caller_is_gone(app):
    address = ALL.format("json")
    going_on = [sent(app, address) for _ in range(long_answer.AT_ONCE)]
    refused = Client(app).get(address)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    next(going_on[0].iter_encoded())
    going_on[0].close()
    again = sent(app, address)
    assert again.json["count"] == EVENTS
    again.close()
    sent(app, address).close()


def test_a_server_sends_it_in_chunks_and_none_to_head(served):
    url = served.url + ALL.format("json")
    answer = httpx.get(url)
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.json()["count"] == EVENTS
    assert raw(served.port, "HEAD", "1.1").endswith(b"\r\n\r\n")


@pytest.fixture
def broken(served, database, monkeypatch):
    """A server whose answer meets an error in the middle."""

    monkeypatch.setattr(Conference, "getLocation", failing(MemoryError))
    return served


def test_an_error_in_the_middle_breaks_the_connection(broken):
    with pytest.raises(httpx.TransportError):
        httpx.get(broken.url + ALL.format("json"))


def test_an_error_in_the_middle_is_told_to_speakers_of_http_1_0(broken):
    with pytest.raises(ConnectionResetError):
        raw(broken.port, "GET", "1.0")


def raw(port, method, version):
    """Return all that a server sends."""
    with socket.create_connection(("127.0.0.1", port)) as asking:
        line = f"{method} {ALL.format('json')} HTTP/{version}\r\nHost: x\r\n\r\n"
        asking.sendall(line.encode())
        found = b""
        while part := asking.recv(1 << 16):
            found += part
        return found


def test_who_has_an_answer_already_may_ask_on_the_same_connection(served):
    address = f"{served.url}/export/event/1.json"
    with httpx.Client() as client:
        known = client.get(address).headers["ETag"]
        for _ in range(2):
            answer = client.get(address, headers={"If-None-Match": known})
            assert answer.status_code == 304
            assert "Connection" not in answer.headers
