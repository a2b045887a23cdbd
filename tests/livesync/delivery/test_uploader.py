"""RecordUploader: it takes records one by one and uploads them batch by batch."""

from __future__ import annotations

import pytest

from livesync import RecordUploader
from tests.livesync.agents_for_tests import (
    ListAgent,
    Uploader,
)


def test_an_uploader_sends_batches_and_the_rest(register, deliveries):
    agent = register(ListAgent, "list")

    assert Uploader(None, agent, 2).iterateOver(iter(range(5)), agent._p_jar) is True
    assert deliveries["list"] == [[0, 1], [2, 3], [4]]


def test_an_uploader_without_records_sends_nothing(register, deliveries):
    assert Uploader(None, register(ListAgent, "list"), 2).iterateOver([]) is True
    assert deliveries == {}


def test_an_uploader_takes_1000_records_at_once_by_default(register, deliveries):
    Uploader(None, register(ListAgent, "list")).iterateOver(range(1001))

    assert [len(batch) for batch in deliveries["list"]] == [1000, 1]


def test_the_base_uploader_does_not_know_how(register):
    with pytest.raises(NotImplementedError):
        RecordUploader(None, register(ListAgent, "list")).iterateOver([1])
