"""The changes of a programme between two positions, for those who may see them."""

from __future__ import annotations

from contextlib import closing

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.model.access import Protection
from export.model.catalogue import catalogue
from scheduler.store import open_database, transact
from tests.export.planting import at, plant

ADDRESS = "/export/event/137346/diff.json"


@pytest.fixture
def app(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        transact(database, plant)
        app = make_app(database)
        yield app
        app.close()


def change(app, work):
    transact(app.database, lambda connection: work(catalogue(connection).event("137346")))
    return Client(app).get("/export/event/137346.json").headers["Position"]


def rework(event):
    event.getContributionById("0").setTitle("Opening")
    event.removeContribution(event.getContributionById("1"))
    event.sessions.get("0").slots[0].setDates(at(24, 15), at(24, 16))


def diff(app, **query):
    answer = Client(app).get(ADDRESS, query_string=query)
    assert answer.status_code == 200, answer.text
    return {(one["change"], one["title"]): one for one in answer.json["results"]}


def test_a_programme_is_compared_part_by_part(app):
    first = change(app, lambda event: event.setDescription("First"))
    second = change(app, rework)
    change(app, lambda event: event.setDescription("Later"))
    found = diff(app, **{"from": first, "to": second})
    assert set(found) == {("changed", "Opening"), ("removed", "d1c2"), ("changed", "d2s1")}
    fields = found["changed", "Opening"]["fields"]
    assert fields["title"] == {"before": "d1c1", "after": "Opening"}
    assert found["removed", "d1c2"]["before"]["id"] == "1"
    slot = found["changed", "d2s1"]["fields"]["startDate"]
    assert (slot["before"]["time"], slot["after"]["time"]) == ("12:00:00", "13:00:00")
    assert ("changed", "Export Test") in diff(app, **{"from": first})
    assert diff(app, **{"from": second, "to": second}) == {}


def test_nobody_learns_of_what_they_could_not_see(app):
    first = change(app, lambda event: event.setDescription("First"))
    change(app, rework)
    change(app, lambda event: event.getContributionById("0").setProtection(Protection.RESTRICTED))
    assert ("changed", "Opening") not in diff(app, **{"from": first})
    change(app, lambda event: event.setProtection(Protection.RESTRICTED))
    assert Client(app).get(ADDRESS, query_string={"from": first}).status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [({}, 400), ({"from": "x"}, 400), ({"from": "A" * 28}, 409), ({"from": "2200-01-01"}, 404)],
)
def test_a_state_that_is_none_is_refused(app, query, status):
    assert Client(app).get(ADDRESS, query_string=query).status_code == status
