"""An answer tells its position, and a position or a date stands for a state of the database.

Covers `export.http.past`, `export.answers.next_page`.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import ZODB
from werkzeug.test import Client

from export.model.access import Protection
from export.model.catalogue import catalogue
from export.people.group import groups
from scheduler.store import transact
from tests.export.answers.random_writes import MANAGER, MEMBER, STRANGER, add_event
from tests.export.answers.site import Site, pages, path_of, position, register, rename, since


def test_every_answer_tells_its_position_also_one_that_is_kept_or_not_modified(site):
    first = site.get("/export/event/20.json")
    rename(site.database, "21", "Elsewhere")
    second = site.get("/export/event/20.json")
    assert first.json["results"] == second.json["results"]
    assert first.headers["Position"] != second.headers["Position"]
    headers = {"If-None-Match": first.headers["ETag"]}
    third = Client(site.app).get("/export/event/20.json", headers=headers)
    assert (third.status_code, third.headers["Position"]) == (304, second.headers["Position"])
    assert since(site, "/export/event/20-21.json", first.headers["Position"])[0] == ["21"]
    assert since(site, "/export/event/20-21.json", second.headers["Position"])[0] == []


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


def test_a_position_that_an_address_would_pass_over_is_refused(site):
    before = position(site)
    for name, address in (("since", "/export/timetable/20.json"), ("at", "/export/user/9.json")):
        answer = site.get(address, MANAGER, **{name: before})
        assert answer.status_code == 400
        assert f"'{name}' is not answered" in answer.json["message"]
    assert site.get("/export/timetable/20.json", at=before).status_code == 200
    assert site.get("/export/changes.json", since=before).status_code == 200
