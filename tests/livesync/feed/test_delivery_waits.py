"""Tasks that run only after an agent has delivered what was changed before.

Covers `livesync.track.commit_positions`.
"""

from __future__ import annotations

import pytest
import transaction

from livesync import ActionWrapper, SyncManager
from livesync.errors import TokenException, UnknownAgentException
from livesync.feed.delivery_waits import WaitToken, token
from livesync.testing import AGENT_ID
from scheduler import TASK_STATUS_NONE, TASK_STATUS_TERMINATED
from scheduler.store.position import token_of
from tests.scheduler.bank import Account, Deposit


@pytest.fixture
def manager(relay, recorded_agent):
    return SyncManager.getDBInstance()


@pytest.fixture
def ann(relay, manager):
    ann = relay.connection.root()["ann"] = Account()
    transaction.commit()
    return ann


def change(relay, manager, obj, name="1"):
    """Record a change of *obj*, in the open transaction."""
    now = int(relay.clock.now.timestamp())
    manager.add(now, ActionWrapper(now, obj, {"data_changed"}, name))


def ran(relay):
    return [type(task).__name__ for task in relay.run_due()]


def test_a_task_runs_once_the_agent_has_delivered_its_transaction(
    relay, manager, recorded_agent, ann
):
    change(relay, manager, ann)
    manager.enqueueAfter(Deposit(ann, 5), AGENT_ID)
    transaction.commit()
    assert ran(relay) == []
    recorded_agent.push()
    assert recorded_agent.sent == [("1", "MOD")]
    assert ran(relay) == ["Deposit"]
    assert ann.balance == 105


def test_an_aborted_transaction_lets_nothing_wait(relay, manager, recorded_agent, ann):
    manager.enqueueAfter(Deposit(ann, 5), AGENT_ID)
    transaction.abort()
    recorded_agent.push()
    assert ran(relay) == []


def test_a_task_waits_for_the_transaction_of_a_token(relay, manager, recorded_agent, ann):
    change(relay, manager, ann)
    transaction.commit()
    first = str(token(AGENT_ID, relay.connection))
    manager.getTrack()  # put in order, and not delivered
    relay.clock.advance(1000)
    change(relay, manager, ann, "2")
    transaction.commit()
    manager.enqueueAfter(Deposit(ann, 5), AGENT_ID, first)
    transaction.commit()
    manager.getTrack()
    manager.advance(AGENT_ID, manager.getTrack().oldestTS() - 1)
    transaction.commit()
    assert ran(relay) == []
    manager.advance(AGENT_ID, manager.getTrack().oldestTS())
    transaction.commit()
    assert ran(relay) == ["Deposit"]  # the later change is not waited for


def test_a_change_delivered_before_is_not_waited_for(relay, manager, recorded_agent, ann):
    change(relay, manager, ann)
    transaction.commit()
    wanted = token(AGENT_ID, relay.connection)
    recorded_agent.push()
    manager.enqueueAfter(Deposit(ann, 5), AGENT_ID, wanted)
    transaction.commit()
    manager.sequence()
    assert ran(relay) == ["Deposit"]


def test_the_token_of_an_object_is_that_of_its_last_change(relay, manager, ann):
    ann.balance = 1
    transaction.commit()
    serial = token(AGENT_ID, ann).tid
    relay.connection.root()["other"] = 1
    transaction.commit()
    assert token(AGENT_ID, ann).tid == serial < token(AGENT_ID, relay.connection).tid


def test_whether_a_token_s_transaction_is_delivered_is_told(relay, manager, recorded_agent, ann):
    change(relay, manager, ann)
    transaction.commit()
    wanted = token(AGENT_ID, relay.connection)
    assert not manager.isDelivered(wanted)
    recorded_agent.push()
    assert manager.isDelivered(wanted)
    assert not manager.isDelivered(
        WaitToken(AGENT_ID, wanted.tid + 2**40)
    )  # nobody has seen it yet


def test_a_token_is_read_as_it_is_written():
    wanted = WaitToken("a:b", 0x03E5)
    assert WaitToken.read(str(wanted)) == wanted


@pytest.mark.parametrize("text", ["", "a", "a:12", "a:zzzzzzzzzzzzzzzz", ":0000000000000001"])
def test_a_text_that_is_no_token_is_refused(text):
    with pytest.raises(TokenException, match="is no token"):
        WaitToken.read(text)


def test_an_agent_must_be_known_and_be_the_token_s(manager, ann):
    with pytest.raises(UnknownAgentException):
        manager.enqueueAfter(Deposit(ann, 5), "nobody")
    with pytest.raises(TokenException, match="another agent"):
        manager.enqueueAfter(Deposit(ann, 5), AGENT_ID, WaitToken("other", 1))


def test_a_task_that_waits_for_a_removed_agent_ends_without_a_run(
    relay, manager, recorded_agent, ann
):
    change(relay, manager, ann)
    task = Deposit(ann, 5)
    manager.enqueueAfter(task, AGENT_ID)
    transaction.commit()
    manager.sequence()
    assert task.getStatus() == TASK_STATUS_NONE
    manager.removeAgent(manager.getAgent(AGENT_ID))
    transaction.commit()
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert ann.balance == 100


def test_a_task_waits_for_the_position_of_an_answer(relay, manager, ann):
    transaction.commit()
    manager.enqueueAfter(Deposit(ann, 5), AGENT_ID, token_of(relay.connection))
    with pytest.raises(TokenException):
        manager.enqueueAfter(Deposit(ann, 5), AGENT_ID, "A" * 28)
