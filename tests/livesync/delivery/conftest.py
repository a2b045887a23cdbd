"""An agent with a target in this process, the changes of its objects, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import transaction
from dateutil.rrule import MINUTELY

from livesync import ActionWrapper, SyncManager
from livesync.tasks import LiveSyncUpdateTask
from scheduler.store import transact, using
from tests.livesync.agents_for_tests import TargetAgent
from tests.livesync.stand_ins import Note

NOW = 100_000


@pytest.fixture
def clock(relay_clock):
    relay_clock.now = datetime.fromtimestamp(NOW, UTC)
    return relay_clock


@pytest.fixture
def target(target, database, clock):
    transact(database, lambda own: add_agent(own, "a"))
    return target


def add_agent(connection, aid, agent_class=TargetAgent, **terms):
    agent = agent_class(aid, aid, "", 60)
    agent.delivery_state.settings = replace(agent.delivery_state.settings, **terms)
    agent.setActive(True)
    SyncManager.getDBInstance(connection).registerNewAgent(agent)


@pytest.fixture
def change(database):
    """Record changes of objects with these ids, each in the bin that is given with it."""

    def change(*names, position=1):
        def work(connection):
            for name in names:
                note = connection.root().setdefault(f"note-{name}", Note(str(name)))
                action = ActionWrapper(position * 100, note, ["data_changed"], str(name))
                SyncManager.getDBInstance(connection).add(position * 100, action)

        transact(database, work)

    return change


@pytest.fixture
def update(database):
    def update():
        manager = transaction.TransactionManager()
        connection = database.open(transaction_manager=manager)
        try:
            with using(connection):
                return LiveSyncUpdateTask(MINUTELY).run()
        finally:
            manager.abort()
            connection.close()

    return update


@pytest.fixture
def look(database):
    """Return what *question* says of agent a."""

    def look(question):
        return transact(database, lambda own: question(agent_of(own)))

    return look


def agent_of(connection, aid="a"):
    return SyncManager.getDBInstance(connection).getAgent(aid)


def letters(agent):
    return {
        letter.name.rpartition(":")[2]: letter._replace(record=None)
        for letter in agent.delivery_state.dead_letters
    }


def position(agent):
    return agent.getLastTS()


def set_terms(**terms):
    def work(agent):
        agent.delivery_state.settings = replace(agent.delivery_state.settings, **terms)

    return work


@pytest.fixture
def register(manager, commit):
    def register(agent_class, aid):
        agent = agent_class(aid, aid.title(), "", 60)
        agent.setActive(True)
        manager.registerNewAgent(agent)
        commit()
        return agent

    return register
