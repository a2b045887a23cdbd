"""Tasks that fight over an object are seen, and run one after the other for a while.

Covers `scheduler.worker.conflict_report`.
"""

from __future__ import annotations

import time

import pytest
from persistent import Persistent
from ZODB.POSException import ConflictError

from scheduler import SchedulerModule, nowutc
from scheduler.shelves import conflict_stats
from scheduler.shelves.conflict_stats import (
    BURST_SECONDS,
    KEPT,
    KEPT_SECONDS,
    SERIALIZED_AFTER,
    SERIALIZED_SECONDS,
)
from scheduler.shelves.conflict_stats import ConflictStats as Record
from scheduler.store import current
from scheduler.tasks import OneShotTask
from scheduler.worker.conflict_report import ConflictReport
from tests.scheduler.harness import running


class Account(Persistent):
    balance = 0


class Deposit(OneShotTask):
    """Takes a moment to think, so that others change the account meanwhile."""

    alone = True

    def run(self):
        account = current().root()["account"]
        balance = account.balance
        time.sleep(0.02)
        account.balance = balance + 1


FOUGHT = ConflictReport(b"\0" * 7 + b"\1", "shop.Stock", 1)


def conflict(oid, name="shop.Stock"):
    error = ConflictError()
    error.oid, error.class_name = oid, name
    return error


def test_a_conflict_names_its_object_and_is_counted_while_it_is_the_same():
    one, other = b"1" * 8, b"2" * 8
    first = ConflictReport.over(conflict(one))
    assert first == (one, "shop.Stock", 1)
    assert ConflictReport.over(conflict(one), first).times == 2
    assert ConflictReport.over(conflict(other), first) == (other, "shop.Stock", 1)
    assert ConflictReport.over(ValueError(), first) is first


def test_a_lane_is_for_those_who_fight_often_and_for_a_while():
    record = Record()
    for _ in range(SERIALIZED_AFTER - 1):
        record.note("Pack", *FOUGHT, 1000)
    assert record.serial_key("Pack", 1000) is None
    record.note("Count", *FOUGHT, 1000)
    assert record.serial_key("Pack", 1001) == record.serial_key("Count", 1001) is not None
    assert record.serial_key("Other", 1001) is None
    assert record.serial_key("Pack", 1000 + SERIALIZED_SECONDS) is None


def test_those_who_fight_now_and_then_have_no_lane():
    record = Record()
    for number in range(2 * SERIALIZED_AFTER):
        record.note("Pack", *FOUGHT, 1000 + number * BURST_SECONDS / 4)
    assert not record.has_serialized()
    (_, fight), *_ = record.newest()
    assert fight.times == 2 * SERIALIZED_AFTER


def test_old_fights_are_forgotten_and_so_are_too_many():
    record = Record()
    record.note("Pack", *FOUGHT, 0)
    for number in range(KEPT + 5):
        record.note(
            "Pack", *FOUGHT._replace(oid=number.to_bytes(8, "big")), KEPT_SECONDS + 1 + number
        )
    assert len(record.newest()) == KEPT
    assert record.newest()[0][0] == (KEPT + 4).to_bytes(8, "big")


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_tasks_that_fight_are_seen_and_put_into_one_lane(view, database, monkeypatch, mode):
    monkeypatch.setattr(conflict_stats, "SERIALIZED_AFTER", 3)
    view.root["account"] = Account()
    view.enqueue(*(Deposit(nowutc()) for _ in range(30)))
    module = SchedulerModule.getDBInstance(view.connection)
    with running(database, workers=2, multitask_mode=mode, task_max_tries=20):
        view.until_counts(finished=30)
        ((oid, fight),) = module.conflicts.newest()
        assert oid == view.root["account"]._p_oid
        assert fight.class_name.endswith("Account")
        assert [kind.endswith("Deposit") for kind in fight.kinds] == [True]
        assert list(module.conflicts.serialized(nowutc().timestamp()).values()) == [oid]

        view.enqueue(*(Deposit(nowutc()) for _ in range(30)))
        view.until_counts(finished=60)
    ((_, later),) = module.conflicts.newest()
    assert later.times == fight.times
    assert view.root["account"].balance == 60
