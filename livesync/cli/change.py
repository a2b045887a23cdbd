"""`indico_livesync destroy`, `agent add|edit|...`, `dead retry|drop`: what changes something."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import transaction
from ZODB.Connection import Connection

from export.errors import ExportException
from export.fossils.installation import base_url, set_base_url
from export.model.catalogue import catalogue
from livesync.cli import agent_types
from livesync.cli.run import agreed
from livesync.delivery.dead_letters import DeadLetters
from livesync.delivery.push_agent import push_agent
from livesync.delivery.status import status_of
from livesync.errors import AgentSettingException, LiveSyncException
from livesync.feed.manager import SyncManager
from livesync.feed.position_text import position_from_text
from livesync.objects.object_model import CONTRIBUTION, EVENT, SUBCONTRIBUTION
from livesync.objects.watched_classes import table_of
from livesync.records.change_filter import ChangeFilter
from scheduler.values.console import answer, as_lines
from scheduler.values.legible import legible

QUESTIONS = (
    "Are you sure you want to empty the MPT? [y/N] ",
    "Really... is this what you want? [y/N] ",
)
MINUTES = 60


def destroy(connection: Connection, options: argparse.Namespace) -> int:
    """Empty the track, and drop the agents, after asking twice."""
    if not agreed(options, *QUESTIONS):
        return 1
    SyncManager.getDBInstance(connection).reset(trackOnly=options.track_only)
    transaction.commit()
    if options.json:
        answer(options, {"emptied": True, "agents": options.track_only}, "")
    return 0


def granularity(connection: Connection, options: argparse.Namespace) -> int:
    """Print how many seconds make up a bin, or make it so many."""
    manager = SyncManager.getDBInstance(connection)
    if options.seconds is not None:
        try:
            manager.setGranularity(options.seconds)
        except ValueError as error:
            raise AgentSettingException(str(error)) from None
    seconds = manager.getGranularity()
    return _done(options, {"seconds": seconds}, f"{seconds:g} seconds")


def address(connection: Connection, options: argparse.Namespace) -> int:
    """Print the installation's own address, or keep another one."""
    if options.url is not None:
        try:
            set_base_url(connection, options.url)
        except ExportException as error:
            raise AgentSettingException(str(error)) from None
    known = base_url(connection)
    return _done(options, {"address": known or None}, known or "no address is known: give one")


def add(connection: Connection, options: argparse.Namespace) -> int:
    """Register a new agent."""
    kind = agent_types.agent_class(options.type)
    basic = {
        "name": options.name or options.agent_id,
        "description": options.description or "",
        "updateTime": MINUTES if options.update_time is None else options.update_time,
        "access": options.access,
    }
    agent = agent_types.make(kind, options.agent_id, basic, dict(options.settings))
    _refuse_unknown(agent.filter, connection)
    SyncManager.getDBInstance(connection).registerNewAgent(agent)
    return _changed(
        connection,
        options,
        f"agent {options.agent_id} is registered; activate it when its target is ready",
    )


def edit(connection: Connection, options: argparse.Namespace) -> int:
    """Give an agent another name or other settings."""
    agent = push_agent(connection, options.agent_id)
    chosen = {
        "name": options.name,
        "description": options.description,
        "updateTime": options.update_time,
        "access": options.access,
    }
    basic = {name: value for name, value in chosen.items() if value is not None}
    if not basic and not options.settings:
        raise AgentSettingException("there is nothing to change: see --help")
    before = agent.filter
    agent_types.edit(agent, basic, dict(options.settings))
    _refuse_unknown(agent.filter, connection)
    is_told_otherwise = agent.filter != before and agent.may_have_sent
    hint = f"; bring its target in line: agent {options.agent_id} verify --repair"
    return _changed(
        connection,
        options,
        f"agent {options.agent_id} is changed{hint if is_told_otherwise else ''}",
    )


def _refuse_unknown(wanted: ChangeFilter, connection: Connection) -> None:
    """Raise AgentSettingException for a filter that names what is not there."""
    watched = {each.kind for each in table_of(connection).classes}
    kinds = {EVENT, CONTRIBUTION, SUBCONTRIBUTION, *watched}
    unknown = sorted(wanted.types - kinds)
    if unknown:
        raise AgentSettingException(
            f"there is no type {unknown[0]!r} of records; there are: {', '.join(sorted(kinds))}"
        )
    missing = sorted(name for name in wanted.categories if not catalogue(connection).category(name))
    if missing:
        raise AgentSettingException(f"there is no category {missing[0]!r}: give the id of one")


def activate(connection: Connection, options: argparse.Namespace) -> int:
    """Activate an agent, from its position or from now on."""
    agent = push_agent(connection, options.agent_id)
    if options.skip:
        newest = SyncManager.getDBInstance(connection).claim()
        if newest is not None:
            agent.preActivate(newest)
    agent.setActive(True)
    return _changed(connection, options, f"agent {options.agent_id} is active")


def deactivate(connection: Connection, options: argparse.Namespace) -> int:
    """Deactivate an agent: the update task no longer runs it."""
    push_agent(connection, options.agent_id).setActive(False)
    return _changed(connection, options, f"agent {options.agent_id} is not active any more")


def pause(connection: Connection, options: argparse.Namespace) -> int:
    """Pause an agent after the batch that is under way."""
    push_agent(connection, options.agent_id).delivery_state.paused = True
    return _changed(connection, options, f"agent {options.agent_id} is paused")


def resume(connection: Connection, options: argparse.Namespace) -> int:
    """Resume an agent where it was paused."""
    push_agent(connection, options.agent_id).delivery_state.paused = False
    return _changed(connection, options, f"agent {options.agent_id} goes on")


def remove(connection: Connection, options: argparse.Namespace) -> int:
    """Remove an agent, after asking."""
    manager = SyncManager.getDBInstance(connection)
    agent = manager.getAgent(options.agent_id)
    question = f"Remove agent {options.agent_id}, its position and its dead letters? [y/N] "
    if not agreed(options, question):
        return 1
    facts = status_of(agent, manager).as_dict()
    manager.removeAgent(agent)
    return _done(options, facts, f"agent {options.agent_id} is removed")


def rewind(connection: Connection, options: argparse.Namespace) -> int:
    """Move an agent's pointer, so that what lies behind it is delivered again."""
    agent = push_agent(connection, options.agent_id)
    manager = SyncManager.getDBInstance(connection)
    agent.rewind(position_from_text(manager, options.position))
    return _changed(connection, options, f"agent {options.agent_id} stands at {options.position}")


def retry(connection: Connection, options: argparse.Namespace) -> int:
    """Make a failing agent due at once, and with it the records that wait to be sent again."""
    push_agent(connection, options.agent_id).delivery_state.make_due()
    return _changed(
        connection, options, f"agent {options.agent_id} is tried again with the next run"
    )


def retention(connection: Connection, options: argparse.Namespace) -> int:
    """Print how long the track keeps changes, after changing it where that is wanted."""
    manager = SyncManager.getDBInstance(connection)
    chosen = {"keep": options.keep, "cut_off": options.cut_off, "most": options.most}
    wanted = {name: value for name, value in chosen.items() if value is not None}
    if wanted:
        try:
            manager.retention = replace(manager.retention, **wanted)
        except ValueError as error:
            raise LiveSyncException(str(error)) from error
        transaction.commit()
    facts = asdict(manager.retention)
    answer(options, facts, "\n".join(as_lines(facts)))
    return 0


def dead_retry(connection: Connection, options: argparse.Namespace) -> int:
    """Make dead letters due again."""
    said = "are sent again with the next run"
    return _for_each(connection, options, DeadLetters.send_again, said)


def dead_drop(connection: Connection, options: argparse.Namespace) -> int:
    """Drop dead letters."""
    return _for_each(connection, options, DeadLetters.drop, "are dropped")


def _for_each(
    connection: Connection,
    options: argparse.Namespace,
    act: Callable[[DeadLetters, str], object],
    said: str,
) -> int:
    dead_letters = push_agent(connection, options.agent_id).delivery_state.dead_letters
    if options.all:
        names = [dead_letter.name for dead_letter in dead_letters.dead()]
    else:
        names = [dead_letters.get(name).name for name in options.names]
    for name in names:
        act(dead_letters, name)
    facts = {"agent": options.agent_id, "names": names}
    return _done(options, facts, f"{len(names)} dead letters {said}")


def _changed(connection: Connection, options: argparse.Namespace, message: str) -> int:
    """Commit, and print *message*, or how the agent stands now."""
    manager = SyncManager.getDBInstance(connection)
    agent = manager.getAgent(options.agent_id)
    return _done(options, status_of(agent, manager).as_dict(), message)


def _done(options: argparse.Namespace, facts: dict[str, Any], message: str) -> int:
    transaction.get().note(legible(f"indico_livesync: {message}"))
    transaction.commit()
    answer(options, facts, message)
    return 0
