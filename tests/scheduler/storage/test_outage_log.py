"""What many threads meet at once is told once, and its end when it is over for all of them.

Covers `scheduler.storage.outage_retry`.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
import transaction
from ZEO.Exceptions import ClientDisconnected

from scheduler.errors import OutcomeUnknown
from scheduler.storage import outage_log as timing
from scheduler.storage.outage_log import Outage, is_not_outage


@pytest.fixture
def outage():
    return Outage("it is over")


class Cut:
    """A data manager whose server goes away at the end of each commit."""

    def tpc_begin(self, unit):
        """Begin."""

    commit = tpc_vote = tpc_abort = abort = tpc_begin

    def tpc_finish(self, unit):
        raise OutcomeUnknown("it went away")

    def sortKey(self):  # noqa: N802 (the name of `transaction`)
        return "cut"


@pytest.fixture
def filtered(caplog):
    """What the daemon would log."""
    caplog.handler.addFilter(is_not_outage)
    yield caplog
    caplog.handler.removeFilter(is_not_outage)


def said(caplog):
    return [record.getMessage().partition(";")[0].split(" after")[0] for record in caplog.records]


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_an_outage_is_told_once_however_often_it_is_met(outage, caplog):
    for who in "abcabc":
        outage.met(ClientDisconnected(), who)
    for who in "abc":
        outage.over(who)
        outage.over(who)
    assert said(caplog) == ["the database is away", "it is over"]


def test_an_outage_is_not_over_while_one_thread_still_meets_it(outage, caplog):
    for who in "ab":
        outage.met(ClientDisconnected(), who)
    outage.over("a")
    assert said(caplog) == ["the database is away"]


def test_a_thread_that_has_ended_is_not_waited_for(outage, caplog):
    in_a_thread(lambda: outage.met(ClientDisconnected()))
    outage.met(ClientDisconnected())
    outage.over()
    assert said(caplog) == ["the database is away", "the database is away", "it is over"]


def test_an_outage_that_begins_again_at_once_is_the_same(outage, caplog, monkeypatch):
    for _ in range(3):
        outage.met(ClientDisconnected(), "a")
        outage.over("a")
    assert said(caplog) == ["the database is away", "it is over"]
    monkeypatch.setattr(timing, "SETTLING_SECONDS", 0)
    outage.met(ClientDisconnected(), "a")
    assert said(caplog)[2:] == ["the database is away"]


def test_what_an_outage_has_cut_off_is_not_told_by_the_libraries_as_well(filtered):
    manager = transaction.TransactionManager()
    manager.begin().join(Cut())
    with pytest.raises(OutcomeUnknown):
        manager.commit()
    loop = asyncio.new_event_loop()
    loop.call_exception_handler({"message": "never retrieved", "exception": ClientDisconnected()})
    assert filtered.messages == []
    loop.call_exception_handler({"message": "never retrieved", "exception": ValueError()})
    loop.close()
    assert filtered.messages == ["never retrieved"]
