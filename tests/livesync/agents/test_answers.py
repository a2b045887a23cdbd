"""The answers of targets: which of them blame a record, and which the target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from livesync import ActionWrapper
from livesync.agents.cernsearch import CERNSearchUploadAgent
from livesync.agents.folder import FolderAgent
from livesync.agents.invenio import InvenioBatchUploaderAgent
from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.webhook import WebhookAgent
from livesync.delivery.deliverer import FAILED, UP_TO_DATE, Deliverer
from tests.livesync.stand_ins import Category, Conference

COUNT = 5
BLOCKED = {
    "type": "cluster_block_exception",
    "reason": "index [i] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];",
}


def bulk(*statuses, error=None):
    items = [{"index": {"_index": "i", "_id": "1", "status": status}} for status in statuses]
    for item in items:
        if error:
            item["index"]["error"] = error
    return 200, {}, json.dumps({"took": 1, "errors": bool(error), "items": items}).encode()


GOOD = {
    WebhookAgent: (204, {}, b""),
    OpenSearchAgent: bulk(*[201] * COUNT),
    InvenioBatchUploaderAgent: (200, {}, b"[INFO] /tmp/batch"),
    CERNSearchUploadAgent: (200, {}, b"<boolean>true</boolean>"),
}
STATUSES = [
    *(301, 302, 307, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 413, 415, 418, 422),
    *(425, 429, 451, 500, 501, 502, 503, 504, 505, 507, 511, 599),
]
NO = {
    InvenioBatchUploaderAgent: [(200, {}, b"[FATAL] disk is full"), (200, {}, b"")],
    CERNSearchUploadAgent: [(200, {}, b"<boolean>false</boolean>"), (200, {}, b"true?")],
    OpenSearchAgent: [bulk(*[status] * COUNT, error=BLOCKED) for status in STATUSES],
}


@pytest.fixture
def events(manager, connection, commit):
    category = connection.root()["category"] = Category("c", Category("0"))

    def events(count=COUNT, first=1):
        for number in range(first, first + count):
            event = Conference(f"{number:02}", category)
            connection.add(event)
            manager.add(100, ActionWrapper(100, event, ["created"], event.getId()))
        commit()

    return events


@pytest.fixture
def deliver(database, connection):
    def deliver(agent):
        agent.delivery_state.not_before = 0
        connection.transaction_manager.commit()
        delivered = Deliverer(database, agent.getId()).deliver(None)
        connection.sync()
        return delivered

    return deliver


@pytest.mark.parametrize("kind", GOOD)
def test_a_target_that_takes_nothing_is_at_fault_whatever_it_says(
    events, register, target, deliver, kind
):
    agent = register(kind("a", "A", "", 60, url=target.url))
    events()
    for answer in [*((status, {}, b"no") for status in STATUSES), *NO.get(kind, [])]:
        target.answers = [answer] * 20
        assert deliver(agent).outcome == FAILED, answer
        assert len(agent.delivery_state.dead_letters) == 0, answer

    assert agent.getLastTS() is None
    target.answers = [GOOD[kind]]
    assert deliver(agent) == (UP_TO_DATE, COUNT, "")


@pytest.mark.parametrize("count", [1, 37])
def test_a_blocked_cluster_gets_all_again_however_often_it_says_no(
    events, register, target, deliver, count
):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url))
    events(count)
    target.answers = [bulk(*[403] * count, error=BLOCKED)] * 12
    for _ in range(12):
        assert "cluster_block_exception" in deliver(agent).reason

    assert len(agent.delivery_state.dead_letters) == 0
    target.answers = [bulk(*[201] * count)]
    assert deliver(agent) == (UP_TO_DATE, count, "")


def test_a_cluster_that_blocks_in_the_middle_of_a_bulk_is_at_fault(
    events, register, target, deliver
):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url))
    events()
    target.answers = [bulk(201, 201, 403, 403, 403, error=BLOCKED)]

    assert deliver(agent).outcome == FAILED
    assert len(agent.delivery_state.dead_letters) == 0


def test_a_batch_that_is_refused_whole_blames_no_record_though_others_were_taken(
    events, register, target, deliver
):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url, batch_size=COUNT))
    events(2 * COUNT)
    target.answers = [GOOD[OpenSearchAgent], bulk(*[400] * COUNT, error={"type": "odd"})]

    assert deliver(agent).outcome == FAILED
    assert len(agent.delivery_state.dead_letters) == 0


def test_deletions_that_are_taken_do_not_show_that_a_target_is_well(
    events, manager, commit, register, target, deliver
):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url))
    events()
    manager.add(100, ActionWrapper(100, Conference("99"), ["deleted"], "99"))
    commit()
    target.answers = [bulk(*[400] * COUNT, 404, error={"type": "validation_exception"})]

    assert deliver(agent).outcome == FAILED
    assert len(agent.delivery_state.dead_letters) == 0


def test_a_record_that_is_refused_among_others_is_set_aside(events, register, target, deliver):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url))
    events()
    target.answers = [bulk(201, 400, 201, 201, 201)]

    assert deliver(agent) == (UP_TO_DATE, COUNT - 1, "")
    (letter,) = agent.delivery_state.dead_letters.dead()
    assert letter.record[1] == "02"


def test_a_record_that_is_refused_alone_is_set_aside_once_another_is_taken(
    events, register, target, deliver
):
    agent = register(OpenSearchAgent("a", "A", "", 60, url=target.url))
    events(1)
    target.answers = [bulk(400, error={"type": "mapper", "reason": "no date"})]
    assert deliver(agent).outcome == FAILED
    assert len(agent.delivery_state.dead_letters) == 0
    events(1, first=2)
    target.answers = [bulk(400, 201, error={"type": "mapper", "reason": "no date"})]

    assert deliver(agent) == (UP_TO_DATE, 1, "")
    (letter,) = agent.delivery_state.dead_letters.dead()
    assert letter.reason == "400 mapper: no date"


def test_a_record_that_no_target_is_offered_is_set_aside_though_nothing_is_taken(
    manager, connection, register, target, deliver
):
    agent = register(WebhookAgent("a", "A", "", 60, url=target.url))
    category = connection.root()["category"] = Category("c")
    manager.add(100, ActionWrapper(100, Conference("9", category), ["created"], "a\0b"))

    assert deliver(agent).outcome == UP_TO_DATE
    assert len(list(agent.delivery_state.dead_letters.dead())) == 1


def test_a_folder_that_cannot_be_written_is_at_fault(events, register, deliver, tmp_path):
    place = tmp_path / "out"
    place.write_text("a file stands here")
    agent = register(FolderAgent("a", "A", "", 60, folder=place))
    events()
    for _ in range(3):
        assert deliver(agent).outcome == FAILED

    assert len(agent.delivery_state.dead_letters) == 0
    place.unlink()
    assert deliver(agent) == (UP_TO_DATE, COUNT, "")
    assert len(list(Path(place).glob("*.json"))) == 1
