"""Agents whose targets are a list of this process, or that fail."""

from __future__ import annotations

from livesync import PushSyncAgent, RecordUploader

received: dict[str, list] = {}


class Uploader(RecordUploader):
    def _uploadBatch(self, batch):
        received.setdefault(self._agent.getId(), []).append(list(batch))


class ListAgent(PushSyncAgent):
    """Sends the changes as they are."""

    def _generateRecords(self, data, lastTS, dbi=None):
        return (action for _, action in data)

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return Uploader(logger, self, 2).iterateOver(data, dbi)


class ReducingAgent(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return Uploader(logger, self).iterateOver(data, dbi)


class FailingAgent(PushSyncAgent):
    error: type[BaseException] = OSError

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        raise self.error("the target is down")


class SilentlyFailingAgent(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return None


class Target:
    """Takes records by object id; refuses, hangs or is down as a test says."""

    def __init__(self):
        self.uploads = []
        self.troubles = {}
        self.before = lambda batch: None

    def upload(self, batch):
        names = [str(record[1]) for record in batch]
        self.before(names)
        for name in names:
            if name in self.troubles:
                raise self.troubles[name]
        self.uploads.append(names)

    @property
    def taken(self):
        return [name for names in self.uploads for name in names]


targets: dict[str, Target] = {}


class ToTarget(RecordUploader):
    def _uploadBatch(self, batch):
        targets[self._agent.getId()].upload(batch)


class TargetAgent(PushSyncAgent):
    """Sends reduced records, two at once, to the target of its own."""

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return ToTarget(logger, self, 2).iterateOver(data, dbi)
