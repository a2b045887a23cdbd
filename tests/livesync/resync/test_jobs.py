"""The full export as a task: it tells how far it is, and goes on where it was broken off.

Covers `livesync.resync.jobs`.
"""

from __future__ import annotations

import pytest
import transaction

from export.model.catalogue import catalogue
from export.model.conference import Conference
from livesync import PushSyncAgent, RecordUploader, SyncManager
from livesync.resync import full_export
from livesync.resync.inventory import everything, number_of_keys
from livesync.resync.jobs import KEY, export_all, verify
from scheduler import SchedulerModule
from scheduler.runtime.context import current_run
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_FINISHED, TASK_STATUS_QUEUED

sent, told, is_down = [], [], []


class Target(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return ToTarget(logger, self).iterateOver(data, dbi)


class ToTarget(RecordUploader):
    def _uploadBatch(self, batch):
        told.append(current_run().progress)
        if is_down and len(sent) >= 4:
            raise ConnectionError("the target is down")
        sent.extend(obj_id for _, obj_id, _ in batch)


@pytest.fixture
def exporting(relay, monkeypatch):
    """A scheduler with events "0" to "9", and the agent "t" whose target may be down."""
    for each in (sent, told, is_down):
        each.clear()
    monkeypatch.setattr(full_export, "PART", 2)
    for number in range(10):
        catalogue(relay.connection).add_event(Conference(str(number), f"title {number}"))
    SyncManager.getDBInstance(relay.connection).registerNewAgent(Target("t", "", "", 0))
    transaction.commit()
    return relay


def test_a_target_that_is_down_is_tried_again_and_gets_the_rest(exporting):
    is_down.append(True)
    task = export_all.enqueue("t")
    exporting.run_due()
    assert task.getStatus() == TASK_STATUS_QUEUED
    assert "the target is down" in task.getAttempts()[-1].message
    assert SchedulerModule.getDBInstance(exporting.connection).unique.holder(
        KEY.format(agent_id="t")
    )
    is_down.clear()
    exporting.clock.advance(600)
    exporting.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert sent == [str(number) for number in range(10)]
    assert task.getResult() == "6 records are sent"


def test_it_tells_which_share_is_sent_also_when_it_goes_on(exporting):
    is_down.append(True)
    export_all.enqueue("t")
    exporting.run_due()
    is_down.clear()
    exporting.clock.advance(600)
    exporting.run_due()
    shares = [progress and progress[0] for progress in told]
    assert shares == [None, 0.2, 0.4, None, 0.6, 0.8]


@pytest.mark.parametrize("job", [export_all, verify])
def test_an_agent_that_is_not_there_is_not_tried_again(exporting, job):
    task = job.enqueue("nobody")
    exporting.run_due()
    assert task.getStatus() == TASK_STATUS_FAILED


def test_keys_are_counted_as_everything_yields_them(exporting):
    keys = [key for key, _ in everything(exporting.connection, "")]
    for behind in ("", *keys):
        listed = list(everything(exporting.connection, behind))
        assert number_of_keys(exporting.connection, behind) == len(listed)
