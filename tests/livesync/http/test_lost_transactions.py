"""After a backup was put back, nothing of the lost time is taken for something that is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from livesync import ActionWrapper, SyncManager
from livesync.agents.webhook import WebhookAgent
from livesync.delivery.deliverer import Deliverer
from livesync.errors import TokenGoneException
from livesync.feed.delivery_waits import WaitToken, token
from livesync.http.wait_middleware import WaitMiddleware
from scheduler import nowutc
from scheduler.store import open_database, transact, using
from scheduler.tasks import CallTask
from tests.livesync.agents.conftest import target  # noqa: F401 (a fixture)

POSITION = 1000


def opened(folder):
    return open_database(f"file://{folder}/relay.fs")


def change(database, name):
    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.add(POSITION, ActionWrapper(POSITION, manager, {"deleted"}, name))

    transact(database, work)


def put_aside(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "backup")


def put_back(folder, tmp_path):
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)


def deliver(database, by_itself):
    if not by_itself:
        Deliverer(database, "a").deliver(None)
        return

    def run(connection):
        with using(connection):
            agent = SyncManager.getDBInstance(connection).getAgent("a")
            assert agent.run(None) is True
            agent.acknowledge()

    transact(database, run)


@pytest.fixture
def folder(tmp_path, target):  # noqa: F811
    """A backup of a database whose agent has something to send."""
    folder = tmp_path / "data"
    database = opened(folder)
    agent = WebhookAgent("a", "", "", 1, url=target.url)
    transact(database, lambda own: SyncManager.getDBInstance(own).registerNewAgent(agent))
    change(database, "old")
    database.close()
    put_aside(folder, tmp_path)
    return folder


@pytest.mark.parametrize("by_itself", [False, True])
def test_records_after_a_restore_have_keys_that_a_webhook_does_not_know(
    folder,
    tmp_path,
    target,  # noqa: F811
    by_itself,
):
    for name in ("lost", "new"):
        database = opened(folder)
        change(database, "same")
        change(database, name)
        deliver(database, by_itself)
        database.close()
        put_back(folder, tmp_path)

    lost, new = ({one["id"]: one["key"] for one in json.loads(b)["records"]} for b in target.bodies)
    assert lost.keys() & new.keys() == {"old", "same"}
    assert not {*lost.values()} & {*new.values()}
    first, second = (headers["Idempotency-Key"] for _, headers, _ in target.requests)
    assert first != second


@pytest.fixture
def lost_token(folder, tmp_path):
    database = opened(folder)
    change(database, "lost")
    with database.transaction() as connection:
        lost = token("a", connection)
    database.close()
    put_back(folder, tmp_path)
    return lost


@pytest.fixture
def restored(folder, lost_token):
    """The database that was put back, with later transactions, all delivered."""
    database = opened(folder)
    change(database, "new")
    deliver(database, by_itself=False)
    yield database
    database.close()


@pytest.fixture
def client(restored):
    return Client(
        WaitMiddleware(lambda environ, start: Response("passed")(environ, start), restored)
    )


def test_a_token_of_the_lost_time_is_refused(client, lost_token):
    answer = client.get(f"/x?after={lost_token}")

    assert answer.status_code == 410
    assert "a backup was put back" in answer.json["message"]


def test_tokens_from_before_and_since_pass(client, restored):
    with restored.transaction() as connection:
        now = token("a", connection)
        before = token("a", SyncManager.getDBInstance(connection).getAgent("a"))

    assert client.get(f"/x?after={now}").text == "passed"
    assert client.get(f"/x?after={before}").text == "passed"


def test_no_task_waits_for_the_lost_time(restored, lost_token):
    def wait(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.enqueueAfter(CallTask(nowutc(), print, ()), "a", lost_token)

    with pytest.raises(TokenGoneException):
        transact(restored, wait)


def test_a_lost_token_is_refused_in_another_process_too(restored, lost_token):
    script = (
        "import sys\n"
        "from livesync import SyncManager\n"
        "from livesync.errors import TokenGoneException\n"
        "from livesync.feed.delivery_waits import WaitToken, token\n"
        "from scheduler.store import connect\n"
        "with connect(sys.argv[1]) as connection:\n"
        "    manager = SyncManager.getDBInstance()\n"
        "    print(manager.isDelivered(token('a', connection)))\n"
        "    try:\n"
        "        manager.isDelivered(WaitToken.read(sys.argv[2]))\n"
        "    except TokenGoneException:\n"
        "        print('gone')\n"
    )
    command = [sys.executable, "-c", script, restored.uri, str(lost_token)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)

    assert told.stdout == "True\ngone\n"


def test_a_token_of_a_transaction_to_come_is_awaited(restored):
    with restored.transaction() as connection:
        later = WaitToken("a", token("a", connection).tid + 1)
        assert SyncManager.getDBInstance(connection).isDelivered(later) is False


def test_postgres_knows_its_transactions(postgres_uri):
    database = open_database(postgres_uri)
    agent = WebhookAgent("a", "", "", 1, url="http://127.0.0.1:1/")
    transact(database, lambda own: SyncManager.getDBInstance(own).registerNewAgent(agent))
    change(database, "new")
    with database.transaction() as connection:
        manager, now = SyncManager.getDBInstance(connection), token("a", connection)
        assert manager.isDelivered(now) is False
        with pytest.raises(TokenGoneException):
            manager.isDelivered(WaitToken("a", now.tid - 1))
    database.close()
