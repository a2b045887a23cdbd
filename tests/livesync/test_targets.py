"""Folder and HTTP agents, and what they write: JSON and MARCXML."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from defusedxml import ElementTree

from livesync import ActionWrapper
from livesync.agents.folder import FolderAgent
from livesync.agents.webhook import WebhookAgent, sign
from livesync.marcxml import NAMESPACE, collection
from livesync.records import document
from livesync.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED
from tests.livesync.stand_ins import Category, Conference, Contribution, Person, SubContribution


@pytest.fixture
def tree(manager, connection, commit):
    root = connection.root()["home"] = Category("0", title="Home")
    event = Conference("1", Category("c", root), title="Talks & <more>\x0b")
    contribution = Contribution("2", event, title="A talk")
    SubContribution("3", contribution, title="A part")
    for obj in (event, contribution, contribution._parts[0]):
        manager.add(100, ActionWrapper(100, obj, ["created"], obj.getUniqueId()))
    manager.add(100, ActionWrapper(100, Conference("9"), ["deleted"], "9"))
    commit()
    return event


@pytest.fixture
def register(manager, commit):
    def register(agent):
        manager.registerNewAgent(agent)
        commit()
        return agent

    return register


class Target(HTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.statuses = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/records"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def target():
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fields(text, number=0):
    """Return {tag with indicators: [{code: value}, ...]} of one record of a collection."""
    record = ElementTree.fromstring(text).findall(f"{{{NAMESPACE}}}record")[number]
    found = {}
    for field in record.findall(f"{{{NAMESPACE}}}datafield"):
        name = (field.get("tag") + field.get("ind1") + field.get("ind2")).replace(" ", "_")
        found.setdefault(name, []).append({sub.get("code"): sub.text for sub in field})
    return found


def test_the_folder_agent_writes_batches_as_numbered_files(tree, register, commit, tmp_path):
    folder = tmp_path / "out"
    agent = register(FolderAgent("folder", "Folder", "", 60, folder=folder, batch_size=3))
    assert agent.run(None) is True
    agent.acknowledge()
    commit()
    assert agent.run(None) is True

    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["000000.json", "000001.json"]
    records = [record for file in files for record in json.loads(file.read_text())["records"]]
    assert {record["id"]: record["status"] for record in records} == {
        "1": "created",
        "1.2": "created",
        "1.2.3": "created",
        "9": "deleted",
    }


def test_the_folder_agent_goes_on_behind_the_files_that_are_there(tree, register, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "000041.xml").write_text("")
    (tmp_path / "out" / "readme.txt").write_text("")
    register(
        FolderAgent("folder", "Folder", "", 60, folder=tmp_path / "out", format="marcxml")
    ).run(None)

    written = (tmp_path / "out" / "000042.xml").read_text()
    assert len(ElementTree.fromstring(written)) == 4


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="json, marcxml"):
        FolderAgent("folder", "Folder", "", 60, folder=tmp_path, format="doc")


def test_the_webhook_posts_signed_batches(tree, register, target):
    agent = register(
        WebhookAgent("hook", "Hook", "", 60, url=target.url, secret="secret", batch_size=3)
    )
    assert agent.run(None) is True

    assert len(target.requests) == 2
    for headers, body in target.requests:
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Livesync-Signature"] == sign(
            "secret", headers["X-Livesync-Timestamp"], body
        )
    assert sum(len(json.loads(body)["records"]) for _, body in target.requests) == 4


def test_a_batch_that_is_sent_again_has_the_same_key(tree, register, target):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url=target.url))
    target.statuses = [500]
    assert agent.run(None) is None
    assert agent.run(None) is True

    first, second = (headers["Idempotency-Key"] for headers, _ in target.requests)
    assert first == second
    assert "X-Livesync-Signature" not in target.requests[0][0]


def test_a_refused_batch_is_a_failure_that_names_the_answer(tree, register, target):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url=target.url))
    target.statuses = [503]

    assert agent.run(None) is None
    assert f"{target.url} answered 503" in agent.last_failure[1]


def test_a_target_that_is_down_is_a_failure_that_names_it(tree, register, target):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url="http://me:pass@127.0.0.1:1/"))

    assert agent.run(None) is None
    assert "http://127.0.0.1:1/ cannot be reached" in agent.last_failure[1]


def test_a_webhook_needs_an_http_url():
    with pytest.raises(ValueError, match="http://"):
        WebhookAgent("hook", "Hook", "", 60, url="ftp://host/")


def test_a_document_tells_of_an_object_what_it_has(tree):
    tree.start = datetime(2026, 3, 1, 9, tzinfo=UTC)

    assert document((tree, "1", STATUS_CHANGED | STATUS_CREATED)) == {
        "id": "1",
        "status": "created",
        "type": "event",
        "title": "Talks & <more>\x0b",
        "startDate": "2026-03-01T09:00:00+00:00",
    }


def test_of_a_deleted_object_only_the_id_is_told(tree):
    assert document((tree, "1", STATUS_CHANGED | STATUS_DELETED)) == {
        "id": "1",
        "status": "deleted",
    }


def test_marcxml_of_an_event(tree):
    tree.start = datetime(2026, 3, 1, 9, 30, 59, tzinfo=UTC)
    text = collection([(tree, "1", STATUS_CREATED)])
    found = fields(text)

    assert "<leader>00000nmm  2200000uu 4500</leader>" in text
    assert found["245__"] == [{"a": "Talks & <more> "}]
    assert found["111__"][0]["9"] == "2026-03-01T09:30:00Z"
    assert found["111__"][0]["g"] == "1"
    assert found["650_7"] == [{"a": "0:c"}]
    assert found["980__"] == [{"a": "INDICOSEARCH.PUBLIC"}]
    assert found["970__"] == [{"a": "INDICO.1"}]
    assert found["6531_"] == [{"a": None}]
    assert found["5060_"] == [{"a": None}]


def test_marcxml_of_a_contribution(tree):
    contribution = tree.getContributionList()[0]
    contribution.duration = timedelta(minutes=90)
    contribution.authors = [Person("Ada", "Byron"), Person("Emmy", "Noether")]
    contribution.speakers = [Person("Ada", "Byron")]
    found = fields(collection([(contribution, "1.2", STATUS_CHANGED)]))

    assert found["035__"] == [{"a": "INDICO.1.2"}, {"a": "1.2", "9": "Indico"}]
    assert found["300__"] == [{"a": "1:30:00"}]
    assert found["100__"] == [{"a": "Byron Ada", "e": "Speaker"}]
    assert found["700__"] == [{"a": "Noether Emmy", "e": "Author"}]
    assert found["61124"] == [{"a": "Talks & <more> "}]
    assert found["962__"] == [{"b": "INDICO.1"}]


def test_marcxml_of_a_subcontribution(tree):
    sub = tree.getContributionList()[0].getSubContributionList()[0]
    found = fields(collection([(sub, "1.2.3", STATUS_CHANGED)]))

    assert found["245__"] == [{"a": "A part"}]
    assert found["111__"] == [{"g": "1"}]
    assert found["970__"] == [{"a": "INDICO.1.2.3"}]


def test_marcxml_of_what_is_deleted():
    assert fields(collection([(None, "1.2", STATUS_DELETED)])) == {
        "970__": [{"a": "INDICO.1.2"}],
        "980__": [{"c": "DELETED"}],
    }


def test_what_is_gone_without_a_deletion_is_left_out(tree):
    contribution = tree.getContributionList()[0]
    contribution.detach()
    text = collection(
        [(None, "7", STATUS_CHANGED), (contribution, "1.2", STATUS_CHANGED), (None, "8", 1)]
    )

    assert len(ElementTree.fromstring(text)) == 1


def test_of_a_protected_object_the_access_list_is_told(tree):
    tree._protected = True
    found = fields(collection([(tree, "1", STATUS_CHANGED)]))

    assert found["980__"] == [{"a": "INDICOSEARCH.PRIVATE"}]
    assert "5060_" not in found
