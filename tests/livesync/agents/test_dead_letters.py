"""Records that a target cannot take become letters, and keep nothing else back.

Covers `livesync.delivery.dead_letters`.
"""

from __future__ import annotations

import json
import sys
import types

import pytest
from persistent import Persistent
from persistent.mapping import PersistentMapping

from livesync import ActionWrapper
from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.webhook import WebhookAgent
from tests.livesync.stand_ins import Epic


@pytest.fixture
def orphan(connection, commit, monkeypatch):
    """A stored object whose class is not there any more."""
    module = types.ModuleType("module_that_goes")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.Book = type("Book", (Persistent,), {"__module__": module.__name__})
    book = module.Book()
    connection.root()["shelf"] = PersistentMapping({"book": book})
    commit()
    oid = book._p_oid
    del book, module.Book
    connection.cacheMinimize()
    return oid


def test_a_record_that_nobody_could_take_is_set_aside_and_all_else_sent(
    tree, register, manager, connection, commit, target, database, orphan
):
    huge = connection.root()["huge"] = Epic("50", tree.getOwner())
    agent = register(WebhookAgent("hook", "Hook", "", 60, url=target.url))
    with_gone_class = database.open().get(orphan)
    for obj, obj_id in ((huge, "50"), (with_gone_class, "book"), (tree, "\ud800")):
        manager.add(100, ActionWrapper(100, obj, ["data_changed"], obj_id))
    commit()
    assert agent.run(None) is True
    agent.acknowledge()

    assert [one["id"] for one in json.loads(target.bodies[0])["records"]] == [
        *("1", "1.2", "1.2.3", "9")
    ]
    reasons = {
        letter.record[1]: letter.reason for letter in agent.delivery_state.dead_letters.dead()
    }
    assert reasons.keys() == {"50", "book", "\ud800"}
    assert "bytes, more than this agent sends" in reasons["50"]
    assert "class of the object is missing" in reasons["book"]
    assert agent.getLastTS() is not None


def test_of_a_bulk_that_is_taken_in_part_the_rest_is_set_aside(tree, register, target):
    agent = register(OpenSearchAgent("os", "OpenSearch", "", 60, url=target.url))
    items = [{"index": {"status": status}} for status in (201, 400, 201)]
    items.append({"delete": {"status": 404}})
    target.answers = [(200, {}, json.dumps({"errors": True, "items": items}).encode())]
    assert agent.run(None) is True

    (letter,) = agent.delivery_state.dead_letters.dead()
    assert letter.record[1] == "1.2"
    assert len(target.requests) == 1


@pytest.mark.parametrize("status", [401, 404, 503])
def test_however_long_a_target_takes_nothing_no_record_is_to_blame(
    tree, register, target, commit, status
):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url=target.url))
    target.answers = [(status, {}, b"")] * 20
    for _ in range(12):
        assert agent.run(None) is None
        commit()

    assert len(agent.delivery_state.dead_letters) == 0
    target.answers.clear()
    assert agent.run(None) is True
    assert len(json.loads(target.bodies[-1])["records"]) == 4
