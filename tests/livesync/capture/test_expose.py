"""One declaration: from then on a class is captured, sent in its public shape, and served.

Covers `livesync.capture.survey`, `livesync.http.exposed`, `livesync.objects.object_index`,
`livesync.records.shape`.
"""

from __future__ import annotations

import json

import pytest
from werkzeug.test import Client

from export.app import make_app
from livesync import ActionWrapper, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.capture.listeners import ObjectChangeListener
from livesync.cli.main import main
from livesync.delivery.deliverer import Deliverer
from livesync.errors import IdentifyException, WatchException
from livesync.records.marcxml import collection
from livesync.records.reduction import STATUS_CHANGED, Record
from livesync.resync.full_export import FullExport
from livesync.resync.verification import Verification
from livesync.watching import expose, unwatch, watch
from scheduler.store import transact
from tests.livesync.shop import (
    Book,
    IOrderFossil,
    IStatusFossil,
    ITransactionFossil,
    Order,
    nothing_of,
    number_of,
    plain_number,
)
from tests.scheduler.harness import output_of


@pytest.fixture(autouse=True)
def exposed_by_itself():
    yield
    unwatch()


@pytest.fixture
def exposed(database):
    expose(Order, fossil=IOrderFossil, identify=plain_number)
    return database


@pytest.fixture
def orders(exposed):
    """A database with an order that is open to all, and one of ann's."""

    def plant(connection):
        connection.root()["7"] = Order("7", 12.5)
        connection.root()["8"] = Order("8", 99, owner="ann")

    transact(exposed, plant)
    return exposed


@pytest.fixture
def folder(orders, tmp_path):
    """An agent with a folder."""

    def register(connection):
        agent = FolderAgent("folder", "", "", 1, folder=tmp_path / "feed")
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.setActive(True)

    transact(orders, register)
    return tmp_path / "feed"


def sent(folder):
    files = sorted(folder.glob("*.json"))
    return [record for file in files for record in json.loads(file.read_text())["records"]]


def get(database, path):
    return Client(make_app(database)).get(path)


def test_its_objects_are_served_by_their_ids(orders):
    answer = get(orders, "/export/order/7.json")
    assert answer.status_code == 200
    (shown,) = answer.json["results"]
    assert shown == {
        **{"_type": "Order", "_fossil": "orderFossil", "title": "Order 7", "total": 12.5, "id": "7"}
    }


def test_protection_is_kept(orders):
    assert get(orders, "/export/order/8.json").status_code == 404
    assert [each["title"] for each in get(orders, "/export/order.json").json["results"]] == [
        "Order 7"
    ]


def test_lists_searches_and_formats_are_those_of_all_resources(orders):
    assert get(orders, "/export/order/search/order 7.json").json["count"] == 1
    assert b"<total>12.5</total>" in get(orders, "/export/order/7.xml").data
    assert get(orders, "/export/order/7.json?detail=odd").status_code == 400
    assert get(orders, "/export/order/7.pdf").status_code == 404


@pytest.mark.parametrize(
    "path", ["/export/orders/7.json", "/export/order/9.json", "/export/a.json"]
)
def test_an_object_that_is_not_exposed_is_unknown(orders, path):
    assert get(orders, f"/export/{path}").status_code == 404


def test_an_address_without_an_exposed_class_is_unknown_to_every_method(orders):
    client = Client(make_app(orders))
    assert client.post("/export/orders/7.json").status_code == 404
    assert client.options("/export/orders/7.json").status_code == 404
    assert client.post("/export/order/7.json").status_code == 405


def test_a_deleted_object_is_served_no_more(orders):
    def delete(connection):
        ObjectChangeListener().deleted(connection.root()["7"], connection.root())
        del connection.root()["7"]

    transact(orders, delete)
    assert get(orders, "/export/order/7.json").status_code == 404


def test_an_object_whose_deletion_is_added_to_the_track_is_served_no_more(orders):
    def delete(connection):
        action = ActionWrapper(1, connection.root()["7"], {"deleted"}, "7")
        SyncManager.getDBInstance(connection).add(1, action)

    transact(orders, delete)
    assert get(orders, "/export/order/7.json").status_code == 404


def test_a_fossil_that_is_gone_is_a_fault_that_tells_nothing(orders, monkeypatch, caplog):
    monkeypatch.delattr("tests.livesync.shop.IOrderFossil")
    answer = get(orders, "/export/order/7.json")

    assert answer.status_code == 500
    assert "IOrderFossil" not in answer.text
    assert "IOrderFossil cannot be imported" in caplog.text


def test_an_answer_follows_what_has_changed(orders):
    client = Client(make_app(orders))
    assert client.get("/export/order/7.json").json["results"][0]["total"] == 12.5
    transact(orders, lambda own: setattr(own.root()["7"], "total", 13))
    assert client.get("/export/order/7.json").json["results"][0]["total"] == 13
    transact(orders, lambda own: own.root().update({"9": Order("9", 1)}))
    assert client.get("/export/order.json").json["count"] == 2
    unwatch(Order)
    assert client.get("/export/order/7.json").status_code == 404


def test_an_object_that_is_known_by_another_id_now_is_served_by_that(orders):
    transact(orders, lambda own: setattr(own.root()["7"], "number", "17"))
    assert get(orders, "/export/order/17.json").json["count"] == 1
    assert get(orders, "/export/order/7.json").status_code == 404


def test_agents_send_the_fossil_and_nothing_that_is_not_public(orders, folder):
    Deliverer(orders, "folder").deliver(None)
    seven, eight = sorted(sent(folder), key=lambda record: record["id"])

    assert seven["id"] == "7"
    assert (seven["type"], seven["status"]) == ("tests.livesync.shop.Order", "created")
    assert (seven["title"], seven["total"], seven["_fossil"]) == ("Order 7", 12.5, "orderFossil")
    assert eight["restricted"]
    assert "total" not in eight


def test_records_in_marc_have_the_fossil_too(orders):
    with orders.transaction() as connection:
        order = connection.root()["7"]
        text = collection([Record(order, "7", STATUS_CHANGED)])

    assert '<subfield code="a">Order 7</subfield>' in text
    assert '<subfield code="a">total: 12.5</subfield>' in text


def test_only_the_agents_that_may_show_it_send_it(database, tmp_path):
    expose(Order, fossil=IOrderFossil, identify=plain_number, agents=["shop"])

    def plant(connection):
        for agent_id in ("shop", "other"):
            agent = FolderAgent(agent_id, "", "", 1, folder=tmp_path / agent_id)
            SyncManager.getDBInstance(connection).registerNewAgent(agent)
            agent.setActive(True)
        connection.root()["7"] = Order("7", 12.5)

    transact(database, plant)
    for agent_id in ("shop", "other"):
        Deliverer(database, agent_id).deliver(None)
        FullExport(database, agent_id).send()

    assert {record["id"] for record in sent(tmp_path / "shop")} == {"7"}
    assert sent(tmp_path / "other") == []


def test_a_full_export_and_a_verification_have_exposed_objects(orders, folder):
    assert FullExport(orders, "folder").send().records == 2
    assert {record["id"] for record in sent(folder)} == {"7", "8"}
    assert Verification(orders, "folder").run().differences == []
    transact(orders, lambda own: own.root()["7"].__setattr__("total", 13))
    Deliverer(orders, "folder").deliver(None)
    assert Verification(orders, "folder").run()[:3] == (2, 0, [])


def test_a_verification_of_marc_leaves_other_watched_objects_alone(database, tmp_path):
    watch(Book, identify=number_of)

    def plant(connection):
        agent = FolderAgent("marc", "", "", 1, folder=tmp_path / "marc", format="marcxml")
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.setActive(True)
        connection.root()["book"] = Book("3")

    transact(database, plant)
    Deliverer(database, "marc").deliver(None)

    assert Verification(database, "marc").run().differences == []


SERVE = """
import sys
from werkzeug.test import Client
from export.app import make_app
answer = Client(make_app(sys.argv[1])).get("/export/order/7.json")
print(answer.status_code, answer.json["results"][0]["title"])
"""


def test_another_process_serves_it_whatever_it_has_imported(orders):
    assert output_of(SERVE, orders.uri) == "200 Order 7"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"fossil": Book}, "is no fossil; derive an interface from export.fossilize.IFossil"),
        ({"fossil": None}, "None is no fossil"),
        ({"fossil": IStatusFossil}, "the field 'status' of IStatusFossil tells in a record"),
        ({"fossil": ITransactionFossil}, "the field 'transaction' of ITransactionFossil tells in"),
        ({"address": "event"}, "cannot be at /export/event, where 'events' is"),
        ({"address": "a/b"}, "an address has small letters"),
        ({"agents": [3]}, "cannot be sent by 3: give the ids of agents"),
        ({"identify": 3}, "identify is 3; give a function"),
    ],
)
def test_a_class_that_cannot_be_exposed_is_refused_with_the_remedy(database, arguments, complaint):
    with pytest.raises(WatchException, match=complaint):
        expose(Order, **{"fossil": IOrderFossil, **arguments})
    assert get(database, "/export/order.json").status_code == 404


def test_a_class_has_one_declaration_and_an_address_one_class(database):
    expose(Order, fossil=IOrderFossil)
    with pytest.raises(WatchException, match=r"is watched already, .* and shown by"):
        watch(Order)
    with pytest.raises(WatchException, match="cannot be at /export/order, where tests"):
        expose(Book, fossil=IOrderFossil, address="order")


def test_objects_made_before_are_served_as_well(database):
    transact(database, lambda own: own.root().update({"7": Order("7", 12.5)}))
    expose(Order, fossil=IOrderFossil, identify=plain_number)

    assert get(database, "/export/order/7.json").json["count"] == 1


def test_a_survey_finds_what_was_not_known_and_tells_of_what_is_gone(orders, capsys, monkeypatch):
    monkeypatch.setattr("livesync.capture.watch.SURVEYED_AT_ONCE", 0)
    transact(orders, lambda own: own.root().update(book=Book("3")))
    transact(orders, lambda own: own.root().pop("7"))
    expose(Book, fossil=IOrderFossil, identify=plain_number)
    command = ["--database", orders.uri, "survey"]
    assert main(command) == 0
    assert main(command) == 0

    told = capsys.readouterr().out.splitlines()
    assert told == [
        "1 objects found, 1 told to be deleted",
        "0 objects found, 0 told to be deleted",
    ]
    assert get(orders, "/export/order/7.json").status_code == 404
    with orders.transaction() as connection:
        deleted = [
            one.getObjectId()
            for _, one in SyncManager.getDBInstance(connection).getTrack()
            if "deleted" in one.getActions()
        ]
    assert deleted == ["7"]


def test_a_class_is_not_exposed_if_an_object_made_before_has_no_id(database):
    transact(database, lambda own: own.root().update({"7": Order("7", 12.5)}))
    with pytest.raises(IdentifyException, match="returned None for an object"):
        expose(Order, fossil=IOrderFossil, identify=nothing_of)
    transact(database, lambda own: setattr(own.root()["7"], "total", 13))
    expose(Order, fossil=IOrderFossil, identify=plain_number)

    assert get(database, "/export/order/7.json").json["count"] == 1
