"""A process that delivers is killed at every point in turn; another one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from persistent import Persistent
from ZODB.FileStorage import FileStorage

from livesync import ActionWrapper, PushSyncAgent, RecordUploader, SyncManager
from livesync.agents.webhook import WebhookAgent
from scheduler.store import open_database, transact
from tests.livesync.stand_ins import Note
from tests.serving import serving

BATCHES = 4
COMMITS = BATCHES + 2  # one that puts into order, one that opens, one after each batch
DELIVER = (
    "import sys; from livesync.delivery.deliverer import Deliverer\n"
    "from tests.faults.test_livesync_kill import kill_at_commit\n"
    "kill_at_commit()\n"
    "from scheduler.store import open_database\n"
    "database = open_database(sys.argv[1])\n"
    "print(Deliverer(database, 'file').deliver(None)); database.close()"
)


class FileUploader(RecordUploader):
    """Its target is a file, a line for each batch; it kills its process at one of them."""

    def _uploadBatch(self, batch):
        place, _, number = os.environ.get("KILL", "").partition(" ")
        number = "" if "commit" in number else number
        with open(os.environ["TARGET"], "a+") as target:
            target.seek(0)
            is_fatal = number and len(target.readlines()) == int(number)
            if is_fatal and place == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            target.write(json.dumps([record[1] for record in batch]) + "\n")
        if is_fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class FileAgent(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return FileUploader(logger, self, 5).iterateOver(data, dbi)


def plant(connection):
    manager = SyncManager.getDBInstance(connection)
    manager.registerNewAgent(FileAgent("file", "File", "", 60))
    for number in range(5 * BATCHES):
        note = connection.root()[f"note-{number}"] = Note(str(number))
        manager.add(number, ActionWrapper(number, note, ["data_changed"], str(number)))


def kill_at_commit():
    """Let this process kill itself before or after the commit that the environment says."""
    place, _, number = os.environ.get("KILL", "").partition(" commit ")
    finish, left = FileStorage.tpc_finish, [int(number or -1)]

    def tpc_finish(self, *args):
        is_fatal = left[0] == 0
        left[0] -= 1
        if is_fatal and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        tid = finish(self, *args)
        if is_fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return tid

    FileStorage.tpc_finish = tpc_finish


@pytest.fixture
def deliver(tmp_path):
    """Run a process that delivers, and is killed where *kill* says."""
    uri, target = f"file://{tmp_path}/data.fs", tmp_path / "target"
    database = open_database(uri)
    transact(database, plant)
    database.close()
    environment = {**os.environ, "TARGET": str(target), "PYTHONPATH": os.getcwd()}

    def deliver(kill=""):
        return subprocess.run(
            [sys.executable, "-c", DELIVER, uri],
            env={**environment, "KILL": kill},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return deliver


def batches_in(target):
    return [tuple(json.loads(line)) for line in target.read_text().splitlines()]


def assert_complete(batches):
    assert len(set(batches)) == BATCHES
    assert sorted(int(n) for batch in set(batches) for n in batch) == list(range(5 * BATCHES))


@pytest.mark.soak
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("number", range(BATCHES) if os.environ.get("SOAK") else (0, 3))
def test_after_a_kill_one_batch_is_sent_again_at_the_most(tmp_path, deliver, place, number):
    assert deliver(f"{place} {number}").returncode == -signal.SIGKILL
    again = deliver()

    assert again.stdout.startswith("up to date"), again.stderr
    batches = batches_in(tmp_path / "target")
    assert_complete(batches)
    repeated = [batch for batch in set(batches) if batches.count(batch) > 1]
    assert repeated == ([batches[number]] if place == "after" else [])


@pytest.mark.soak
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("number", range(COMMITS) if os.environ.get("SOAK") else (COMMITS - 1,))
def test_after_a_kill_at_a_commit_one_batch_is_sent_again_at_the_most(
    tmp_path, deliver, place, number
):
    assert deliver(f"{place} commit {number}").returncode == -signal.SIGKILL
    again = deliver()

    assert again.stdout.startswith("up to date"), again.stderr
    batches = batches_in(tmp_path / "target")
    assert_complete(batches)
    assert len(batches) == BATCHES + (place == "before" and number > 1)


class Receiver(BaseHTTPRequestHandler):
    """Takes every request, and kills who sends the second one before it hears of that."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ids = [record["id"] for record in json.loads(body)["records"]]
        self.server.taken.append((self.headers["Idempotency-Key"], ids))
        if len(self.server.taken) == 2:
            self.server.sender.kill()
            return
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Thing(Persistent):
    """Something that belongs nowhere, so it is never gone."""


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.taken = []
    with serving(server):
        yield server


def test_a_record_that_is_sent_again_after_a_kill_has_the_same_key(tmp_path, receiver):
    uri = f"file://{tmp_path}/data.fs"
    url = f"http://127.0.0.1:{receiver.server_port}/"

    def plant(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.registerNewAgent(WebhookAgent("file", "Hook", "", 60, url=url, batch_size=5))
        for number in range(15):
            thing = connection.root()[f"thing-{number}"] = Thing()
            manager.add(number, ActionWrapper(number, thing, ["data_changed"], str(number)))

    def record_more(connection):
        SyncManager.getDBInstance(connection).add(
            20, ActionWrapper(20, connection.root()["thing-0"], ["data_changed"], "0")
        )

    def deliver():
        with subprocess.Popen([sys.executable, "-c", DELIVER, uri], cwd=os.getcwd()) as sender:
            receiver.sender = sender
        return sender.returncode

    database = open_database(uri)
    transact(database, plant)
    database.close()
    assert deliver() == -signal.SIGKILL
    database = open_database(uri)
    transact(database, record_more)
    database.close()
    assert deliver() == 0

    first, lost, again, third, later = receiver.taken
    assert lost == again
    assert sorted(int(n) for _, ids in (first, lost, third) for n in ids) == list(range(15))
    assert later[1] == ["0"]
    assert len({key for key, _ in receiver.taken}) == 4
