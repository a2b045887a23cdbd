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
