"""A process that delivers is killed at every point in turn; another one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from livesync import ActionWrapper, PushSyncAgent, RecordUploader, SyncManager
from scheduler.store import open_database, transact
from tests.livesync.stand_ins import Note

BATCHES = 4
DELIVER = (
    "import sys; from livesync.courier import Courier; from scheduler.store import open_database\n"
    "database = open_database(sys.argv[1])\n"
    "print(Courier(database, 'file').deliver(None)); database.close()"
)


class FileUploader(RecordUploader):
    """Its target is a file, a line for each batch; it kills its process at one of them."""

    def _uploadBatch(self, batch):
        place, _, number = os.environ.get("KILL", "").partition(" ")
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


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("number", range(BATCHES))
def test_after_a_kill_one_batch_is_sent_again_at_the_most(tmp_path, place, number):
    uri, target = f"file://{tmp_path}/data.fs", tmp_path / "target"
    database = open_database(uri)
    transact(database, plant)
    database.close()
    environment = {**os.environ, "TARGET": str(target), "PYTHONPATH": os.getcwd()}

    def deliver(**more):
        return subprocess.run(
            [sys.executable, "-c", DELIVER, uri],
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert deliver(KILL=f"{place} {number}").returncode == -signal.SIGKILL
    again = deliver()

    assert again.stdout.startswith("up to date"), again.stderr
    batches = [tuple(json.loads(line)) for line in target.read_text().splitlines()]
    assert len(set(batches)) == BATCHES
    assert sorted(int(n) for batch in set(batches) for n in batch) == list(range(5 * BATCHES))
    repeated = [batch for batch in set(batches) if batches.count(batch) > 1]
    assert repeated == ([batches[number]] if place == "after" else [])
