"""Whoever asks what changed since a position ends with what a full answer tells.

Covers `export.http.past`, `export.http.listing`, `export.answers.next_page`.
"""

from __future__ import annotations

import os
import random
from contextlib import closing
from datetime import UTC, datetime
from itertools import product
from urllib.parse import urlsplit

import feedparser
import pytest
import ZODB
from icalendar import Calendar
from persistent import Persistent
from persistent.mapping import PersistentMapping
from werkzeug.test import Client

from export.app import make_app
from export.collection import Collection
from export.fossilize import IFossil
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.registration import RegistrationForm
from export.people.group import groups
from scheduler.store import current, open_database, transact
from tests.export.answers.random_writes import (
    ASKERS,
    MANAGER,
    MEMBER,
    STRANGER,
    RandomWrites,
    add_event,
    plant,
    undo_last,
)

WRITES = 2000 if os.environ.get("SOAK") else 60
ADDRESSES = (
    "/export/categ/0.json?detail=contributions&limit=2",
    "/export/categ/3.json",
    "/export/event/20-21-22.json",
    "/export/event/20/contribution/1-2.json",
    "/export/reservation/CERN.json",
    "/export/book.json",
    "/export/user/categ_events.json",
    "/export/user/linked_events.json",
    "/export/event/search/blue.json",
    "/export/roomName/CERN/a.json",
)


class Book(Persistent):
    def __init__(self, number, title):
        self.id, self.title = number, title


class IBookFossil(IFossil):
    def id(): ...
    def title(): ...


class Books(Collection):
    """Books of the library; one by the name of a user is for that user."""

    address = "/export/book"
    details = {"basic": IBookFossil}
    formats = ("json", "xml", "atom", "ics")

    def members(self):
        return current().root().get("books", {}).values()

    def find(self, id):
        return current().root().get("books", {}).get(id)

    def allows(self, book, user):
        return user in book.title or book.title.isalpha() if user else book.title.isalpha()


class Site:
    def __init__(self, database):
        self.database = database
        self.tokens = transact(database, plant)
        self.app = make_app(database, {"base_url": "https://x.example"}, resources=[Books])
        self.put_book("0", "First")  # what the application has prepared is not undone

    def get(self, address, user=None, **more):
        headers = {} if user is None else {"Authorization": f"Bearer {self.tokens[user]}"}
        return Client(self.app).get(address, headers=headers, query_string=more or None)

    def put_book(self, number, title):
        def put(connection):
            books = connection.root().setdefault("books", PersistentMapping())
            books[number] = Book(number, title)

        transact(self.database, put)

    def drop_book(self, number):
        transact(self.database, lambda connection: connection.root()["books"].pop(number))


@pytest.fixture
def site(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        site = Site(database)
        yield site
        site.app.close()


def path_of(address):
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def pages(site, address, user):
    """Yield the answers from *address* on, page by page."""
    while address:
        answer = site.get(address, user)
        yield answer
        if answer.status_code != 200:
            return
        following = answer.headers.get("Link", "")
        address = path_of(following[1:].partition(">")[0]) if following else ""


def with_more(address, **more):
    return address + "".join(f"{'&' if '?' in address else '?'}{k}={v}" for k, v in more.items())


class Mirror:
    """The results that one asker has, kept up to date by what changed."""

    def __init__(self, site, address, user):
        self.site, self.address, self.user = site, address, user
        self.known, self.position = self.full()

    def full(self):
        results, position = {}, None
        for page in pages(self.site, self.address, self.user):
            position = position or page.headers.get("Position")
            told = page.json.get("results", [])
            results |= {one["id"]: one for one in told}
        return results, position

    def follow(self):
        if self.position is None:
            self.known, self.position = self.full()
            return
        for page in pages(self.site, with_more(self.address, since=self.position), self.user):
            if page.status_code != 200:
                self.known, self.position = self.full()
                return
            self.known |= {one["id"]: one for one in page.json["results"]}
            info = page.json["additionalInfo"]
            for one in info["vanished"]:
                assert set(one) == {"_type", "id"}
                del self.known[one["id"]]
            position = info["position"]
        self.position = position


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_who_follows_has_what_a_full_answer_tells(site):
    seed = random.randrange(10**6)
    chance, writes = random.Random(seed), RandomWrites(site.database, seed)
    mirrors = [Mirror(site, *each) for each in product(ADDRESSES, ASKERS)]
    for _ in range(WRITES):
        for _ in range(chance.randrange(1, 4)):
            writes.commit_one()
            if chance.random() < 0.3:
                title = chance.choice(("Dune", "Ubik", f"for {STRANGER}", f"for {MEMBER}"))
                site.put_book(chance.choice("123"), title)
        for mirror in chance.sample(mirrors, 4):
            mirror.follow()
            assert mirror.known == mirror.full()[0], (seed, mirror.address, mirror.user)


def rename(database, number, title):
    transact(database, lambda found: catalogue(found).event(number).setTitle(title))


def position(site, address="/export/event/20.json", user=None):
    return site.get(address, user).headers["Position"]


def since(site, address, at, user=None):
    answer = site.get(address, user, since=at)
    assert answer.status_code == 200, answer.text
    info = answer.json["additionalInfo"]
    return [one["id"] for one in answer.json["results"]], [one["id"] for one in info["vanished"]]


def test_every_answer_tells_its_position_also_one_that_is_kept_or_not_modified(site):
    first = site.get("/export/event/20.json")
    rename(site.database, "21", "Elsewhere")
    second = site.get("/export/event/20.json")
    assert first.data == second.data
    assert first.headers["Position"] != second.headers["Position"]
    headers = {"If-None-Match": first.headers["ETag"]}
    third = Client(site.app).get("/export/event/20.json", headers=headers)
    assert (third.status_code, third.headers["Position"]) == (304, second.headers["Position"])
    assert since(site, "/export/event/20-21.json", first.headers["Position"])[0] == ["21"]
    assert since(site, "/export/event/20-21.json", second.headers["Position"])[0] == []


def test_what_is_hidden_vanishes_for_those_who_saw_it_and_nobody_else_learns_of_it(site):
    before = position(site)

    def hide(connection):
        found = catalogue(connection)
        found.event("23").setProtection(Protection.RESTRICTED)
        found.remove_event(found.event("24"))

    transact(site.database, hide)
    assert since(site, "/export/categ/2.json", before, MEMBER) == ([], ["23", "24"])
    assert since(site, "/export/categ/2.json", before, STRANGER) == ([], [])
    assert since(site, "/export/event/24.json", before, MEMBER) == ([], ["24"])
    assert since(site, "/export/event/24.json", before, STRANGER) == ([], [])


def test_who_joins_a_group_is_told_what_its_members_see(site):
    before = position(site)
    transact(site.database, lambda found: groups(found).find("crew").add(STRANGER))
    assert since(site, "/export/event/23-24.json", before, STRANGER)[0] == ["23", "24"]
    transact(site.database, lambda found: groups(found).find("crew").remove(STRANGER))
    assert since(site, "/export/event/23-24.json", before, STRANGER) == ([], [])


def test_the_pages_of_a_list_are_of_one_state(site):
    address = "/export/categ/3.json?limit=1"
    first = site.get(address)
    rename(site.database, "22", "Renamed meanwhile")
    transact(site.database, lambda found: add_event(catalogue(found), "30", catalogue(found).root))
    told = list(pages(site, address, None))
    following = path_of(first.headers["Link"][1:].partition(">")[0])
    rest = list(pages(site, following, None))
    assert [page.json["results"][0]["id"] for page in (first, *rest)] == ["20", "21", "22"]
    assert rest[-1].json["results"][0]["title"] == "Blue fish 22"
    assert told[-1].json["results"][0]["title"] == "Renamed meanwhile"
    assert all(page.headers["Position"] == first.headers["Position"] for page in rest)


def test_changes_come_page_by_page_from_one_state(site):
    before = position(site)
    for number in ("20", "21", "22"):
        rename(site.database, number, f"New {number}")
    transact(
        site.database, lambda found: catalogue(found).remove_event(catalogue(found).event("22"))
    )
    first = site.get("/export/categ/3.json", None, since=before, limit=1)
    rename(site.database, "21", "Newer 21")
    following = first.json["additionalInfo"]["next"]
    assert path_of(first.headers["Link"][1:].partition(">")[0]) == path_of(following)
    assert first.json["complete"] is False
    rest = list(pages(site, path_of(following), None))
    assert [one["title"] for page in rest for one in page.json["results"]] == ["New 21"]
    assert rest[-1].json["additionalInfo"]["vanished"] == [{"_type": "Conference", "id": "22"}]
    assert rest[-1].json["complete"] is True


def test_an_earlier_state_is_shown_to_those_who_may_see_it_then_and_now(site):
    then = position(site)
    rename(site.database, "20", "New")
    assert site.get("/export/event/20.json", at=then).json["results"][0]["title"] == "Blue fish 20"
    transact(
        site.database,
        lambda found: catalogue(found).event("20").setProtection(Protection.RESTRICTED),
    )
    assert site.get("/export/event/20.json", at=then).json["results"] == []
    assert site.get("/export/event/23.json", MEMBER, at=then).json["count"] == 1
    transact(site.database, lambda found: groups(found).find("crew").remove(MEMBER))
    assert site.get("/export/event/23.json", MEMBER, at=then).json["count"] == 0
    transact(
        site.database, lambda found: catalogue(found).remove_event(catalogue(found).event("21"))
    )
    assert site.get("/export/event/21.json", at=then).json["count"] == 1


def test_a_date_stands_for_the_state_of_that_time(site):
    ago = site.database.undoInfo(0, 1)[0]["time"]
    rename(site.database, "20", "New")
    shown = datetime.fromtimestamp(ago + 1e-4, UTC).isoformat().replace("+00:00", "Z")
    answer = site.get("/export/event/20.json", at=shown)
    assert answer.json["results"][0]["title"] == "Blue fish 20"
    assert site.get("/export/event/20.json", at="now").json["results"][0]["title"] == "New"
    assert site.get("/export/event/20.json", at="2200-01-01").status_code == 404
    assert site.get("/export/event/20.json", at="somewhen").status_code == 400


def test_what_was_packed_away_is_gone_and_the_oldest_position_is_told(site):
    old = position(site)
    rename(site.database, "20", "New")
    site.database.pack()
    rename(site.database, "20", "Newer")
    for name in ("since", "at"):
        answer = site.get("/export/event/20.json", **{name: old})
        assert answer.status_code == 410, answer.text
        assert "packed" in answer.json["message"]
        oldest = answer.json["oldest"]
        assert site.get("/export/event/20.json", **{name: oldest}).status_code == 200
    assert since(site, "/export/event/20.json", oldest)[0] == ["20"]
    told = site.get("/export/event/20.json", at=oldest).json["results"][0]["title"]
    assert told == "New"


def test_a_position_of_another_database_is_refused_and_so_is_no_position(site):
    with closing(ZODB.DB(None)) as database:
        other = Site(database)
        foreign = position(other)
        rename(database, "20", "New")
        assert since(other, "/export/event/20.json", foreign)[0] == ["20"]
        other.app.close()
    assert site.get("/export/event/20.json", since=foreign).status_code == 409
    assert site.get("/export/event/20.json", since="A" * 27).status_code == 400


def test_undoing_is_a_change(site):
    rename(site.database, "20", "New")
    before = position(site)
    undo_last(site.database)
    assert since(site, "/export/event/20-21.json", before)[0] == ["20"]


def test_the_cursor_of_one_page_looks_at_so_many_objects_and_no_more(site, monkeypatch):
    monkeypatch.setattr("export.http.listing.LOOKED_AT", 2)
    monkeypatch.setattr("export.http.listing.BATCH", 1)
    before = position(site)
    rename(site.database, "22", "New")
    told = list(pages(site, with_more("/export/categ/3.json", since=before), None))
    assert [len(page.json["results"]) for page in told] == [0, 1]


def test_feeds_and_calendars_tell_their_position_and_what_vanished(site):
    calendar = site.get("/export/categ/3.ics")
    at = calendar.headers["Position"]
    assert f"X-POSITION:{at}" in calendar.text
    feed = site.get("/export/categ/3.atom?order=id")
    assert f"/export/categ/3.atom?order=id&amp;since={at}" in feed.text
    transact(
        site.database, lambda found: catalogue(found).remove_event(catalogue(found).event("21"))
    )
    assert f"X-POSITION:{at}" not in site.get("/export/categ/3.ics").text
    (event,) = Calendar.from_ical(site.get("/export/categ/3.ics", since=at).data).walk("VEVENT")
    assert (event["uid"], event["status"]) == ("indico-event-21@x.example", "CANCELLED")
    told = site.get("/export/categ/3.atom", since=at).text
    assert 'ref="https://x.example/event/21/"' in told
    assert feedparser.parse(told).bozo == 0


def register(site, number, **data):
    def make(connection):
        event = catalogue(connection).event(number)
        event.registration = event.registration or RegistrationForm()
        return event.registration.register(data).id

    return transact(site.database, make)


def registrants(site, before, user=MANAGER):
    answer = site.get("/export/event/20/registrants.json", user, since=before)
    assert answer.status_code == 200, answer.text
    ids = [one["registrant_id"] for one in answer.json["results"]["registrants"]]
    return ids, answer.json["additionalInfo"]["vanished"]


def test_registrants_that_came_changed_and_left_are_told_to_registrars(site):
    first, second = (register(site, "20", surname=name) for name in ("One", "Two"))
    before = position(site, "/export/event/20/registrants.json", MANAGER)
    assert registrants(site, before) == ([], [])

    def change(connection):
        form = catalogue(connection).event("20").registration
        form.find(first).set_checked_in(True)
        form.remove(form.find(second))

    transact(site.database, change)
    third = register(site, "20", surname="Three")
    gone = [{"_type": "Registrant", "id": second}]
    assert registrants(site, before) == ([first, third], gone)
    assert site.get("/export/event/20/registrants.json", STRANGER, since=before).status_code == 403


def test_a_registrar_of_then_who_is_none_now_is_told_nothing_of_then(site):
    register(site, "20", surname="One")

    def let_in(connection):
        form = catalogue(connection).event("20").registration
        form.registrars = frozenset({STRANGER})

    transact(site.database, let_in)
    before = position(site, "/export/event/20/registrants.json", STRANGER)

    def shut_out(connection):
        catalogue(connection).event("20").registration.registrars = frozenset()

    transact(site.database, shut_out)
    answer = site.get("/export/event/20/registrants.json", STRANGER, at=before)
    assert answer.status_code == 403


def test_video_bookings_that_changed_or_vanished_are_told(site):
    def book(connection):
        event = catalogue(connection).event("20")
        for _ in range(2):
            event.book_video("Vidyo")

    transact(site.database, book)
    before = position(site, "/export/video/all.json", MEMBER)
    transact(site.database, lambda own: catalogue(own).remove_event(catalogue(own).event("20")))
    answer = site.get("/export/video/all.json", MEMBER, since=before).json
    assert answer["results"] == []
    vanished = answer["additionalInfo"]["vanished"]
    assert vanished == [{"_type": "CSBooking", "id": f"a20csbook{number}"} for number in (1, 2)]


def test_the_reservations_of_rooms_have_no_changes_of_their_own(site):
    before = position(site, "/export/room/CERN/1.json", MEMBER)
    answer = site.get("/export/room/CERN/1.json", MEMBER, detail="reservations", since=before)
    assert answer.status_code == 400
    assert "/export/reservation" in answer.json["message"]


def test_a_position_that_an_address_would_pass_over_is_refused(site):
    before = position(site)
    for name, address in (("since", "/export/timetable/20.json"), ("at", "/export/user/9.json")):
        answer = site.get(address, MANAGER, **{name: before})
        assert answer.status_code == 400
        assert f"'{name}' is not answered" in answer.json["message"]
    assert site.get("/export/timetable/20.json", at=before).status_code == 200
    assert site.get("/export/changes.json", since=before).status_code == 200
