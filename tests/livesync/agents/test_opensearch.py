"""Bulks to OpenSearch or Elasticsearch."""

from __future__ import annotations

import json

import pytest

from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.target import TargetUploader
from livesync.errors import AgentExecutionException, Overloaded, PartialFailure
from livesync.records.reduction import STATUS_CREATED, STATUS_DELETED, Record
from tests.livesync.stand_ins import Conference


@pytest.fixture
def upload(target):
    def upload():
        agent = OpenSearchAgent("os", "OpenSearch", "", 60, url=f"{target.url}/", index="talks")
        agent.getLastTS = lambda: None
        with agent._sender() as send:
            TargetUploader(None, agent, 1000, agent._prepare, send)._uploadBatch(
                [
                    Record(Conference("1", title="First\nline"), "1", STATUS_CREATED, 5),
                    Record(None, "2", STATUS_DELETED, 6),
                ]
            )

    return upload


def answered(*statuses):
    items = [
        {"index": {"status": status, "error": {"type": "mapper", "reason": "no date"}}}
        for status in statuses
    ]
    return 200, {}, json.dumps({"errors": max(statuses) > 300, "items": items}).encode()


def test_records_are_indexed_and_deleted_by_lines_of_json(upload, target):
    target.answers = [answered(201, 200)]
    upload()

    ((path, headers, body),) = target.requests
    assert path == "/_bulk"
    assert headers["Content-Type"] == "application/x-ndjson"
    assert body.endswith(b"\n")
    assert [json.loads(line) for line in body.splitlines()] == [
        {"index": {"_index": "talks", "_id": "1"}},
        {
            "id": "1",
            "status": "created",
            "type": "event",
            "title": "First\nline",
            "startDate": None,
        },
        {"delete": {"_index": "talks", "_id": "2"}},
    ]


def test_an_object_that_is_not_there_need_not_be_deleted(upload, target):
    target.answers = [answered(201, 404)]
    upload()


def test_a_record_that_is_refused_is_told_and_the_others_are_taken(upload, target):
    target.answers = [answered(400, 200)]

    with pytest.raises(PartialFailure) as caught:
        upload()
    assert caught.value.refused == {0: "400 mapper: no date"}


@pytest.mark.parametrize("statuses", [(400, 429), (503, 200)])
def test_a_server_that_has_no_room_for_one_gets_all_again(upload, target, statuses):
    target.answers = [answered(*statuses)]

    with pytest.raises(Overloaded):
        upload()


NONSENSE = [
    *(b"", b"ok", b"[]", b"{}", b"[" * 100_000),
    *(b'{"items": []}', b'{"items": [{}, {}]}', b'{"items": [1, 2]}'),
    b'{"items": [{"index": {}}, {"index": {}}]}',
]


@pytest.mark.parametrize("answer", NONSENSE)
def test_an_answer_that_makes_no_sense_is_a_failure(upload, target, answer):
    target.answers = [(200, {}, answer)]

    with pytest.raises(AgentExecutionException, match="did not answer as to a bulk"):
        upload()
