"""Whoever asks what changed since a position ends with what a full answer tells.

Covers `export.http.past`, `export.http.listing`.
"""

from __future__ import annotations

import os
import random
from itertools import product

import feedparser
import pytest
from icalendar import Calendar

from export.model.access import Protection
from export.model.catalogue import catalogue
from export.people.group import groups
from scheduler.store import transact
from tests.export.answers.random_writes import (
    ASKERS,
    MANAGER,
    MEMBER,
    STRANGER,
    RandomWrites,
    undo_last,
)
from tests.export.answers.site import (
    pages,
    path_of,
    position,
    register,
    rename,
    since,
    with_more,
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
