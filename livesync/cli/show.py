"""`indico_livesync list`, `agents`, `dead list`, `dead show`: what there is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from ZODB.Connection import Connection

from livesync.delivery.dead_letters import DeadLetter
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.status import statuses_of
from livesync.feed.manager import SyncManager
from livesync.feed.position_text import TokenPlace
from livesync.feed.subscription import Subscription
from livesync.track.action import ActionWrapper, commit_of
from livesync.track.track import Item
from scheduler.runtime.stop_signals import on_stop_signals
from scheduler.store.position import token_of
from scheduler.values.console import answer, as_json, as_line, as_lines, as_table, as_text

AGENT_HEADS = (
    "ID",
    "STATE",
    "POSITION",
    "LAG",
    "SECONDS",
    "WAITING",
    "DEAD",
    "DELIVERED",
    "LAST RUN",
    "LAST ERROR",
)
DEAD_HEADS = ("AGENT", "NAME", "STATE", "TRIES", "SINCE", "REASON")


def list_track(connection: Connection, options: argparse.Namespace) -> int:
    """Print the entries of the track, newest first."""
    manager = SyncManager.getDBInstance(connection)
    wanted = Stretch.of(manager, options)
    if options.follow:
        return _follow(connection, options, wanted)
    track = manager.getTrack()
    found: Iterator[Item] = track.iterate(wanted.behind, wanted.till)
    items = [item for item in _by_commits(found) if wanted.has(item[1])]
    if options.json:
        print(as_json([_entry(connection, position, action) for position, action in items]))
        return 0
    for position, action in items:
        print(position, as_text(action))
    return 0


class Stretch(NamedTuple):
    """The part of the track that is asked for: between positions, or between transactions."""

    behind: int | None
    till: int | None
    start: TokenPlace | None
    end: TokenPlace | None

    @classmethod
    def of(cls, manager: SyncManager, options: argparse.Namespace) -> Stretch:
        """Return the stretch that *options* name; raises TokenException and the like."""
        start, end = (
            TokenPlace.of(manager, given) if isinstance(given, str) else None
            for given in (options.start, options.to)
        )
        behind = None if options.start is None else start.behind() if start else options.start - 1
        if options.pointer is not None:
            behind = manager.getTrack().getPointerTimestamp(options.pointer)
        return cls(behind, None if end else options.to, start, end)

    def has(self, action: Any) -> bool:
        """Say whether *action* is of a transaction behind the first and up to the last."""
        if self.start is not None and not self.start.is_behind(action):
            return False
        return self.end is None or not self.end.is_behind(action)


def _by_commits(items: Iterator[Item]) -> Iterator[Item]:
    """Yield *items*, the newest bin first, with the newest commit of each bin first."""
    for _, of_one_bin in groupby(items, key=lambda item: item[0]):
        yield from sorted(of_one_bin, key=lambda item: -commit_of(item[1]))


def _follow(connection: Connection, options: argparse.Namespace, wanted: Stretch) -> int:
    """Print changes as they are put on the track, oldest first, until interrupted."""
    begins_now = options.start is None and options.pointer is None
    tail = Subscription(connection, wanted.behind)
    with closing(tail), on_stop_signals(lambda _: tail.stop()):
        if begins_now:
            tail.pass_over()
        while not tail.is_stopped:
            for position, action in tail.changes():
                if not wanted.has(action):
                    continue
                line = (
                    as_line(_entry(connection, position, action))
                    if options.json
                    else f"{position} {as_text(action)}"
                )
                print(line, flush=True)
            tail.wait()
    return 0


def agents(connection: Connection, options: argparse.Namespace) -> int:
    """Print the status of every agent."""
    found = statuses_of(SyncManager.getDBInstance(connection))
    rows = [
        (
            status.id,
            status.state,
            status.position,
            status.lag_records,
            round(status.lag_seconds),
            status.waiting,
            status.dead,
            status.delivered,
            status.last_run or "never",
            status.last_error,
        )
        for status in found
    ]
    none = "no agents: see `indico_livesync agent add`"
    facts = [status.as_dict() for status in found]
    answer(options, facts, as_table(AGENT_HEADS, rows) if rows else none)
    return 0


def token(connection: Connection, options: argparse.Namespace) -> int:
    """Print the position of what is committed now, for one agent where its id is given."""
    position = token_of(connection)
    if options.agent_id is not None:
        SyncManager.getDBInstance(connection).getAgent(options.agent_id)
        position = f"{options.agent_id}:{position}"
    answer(options, {"token": position}, position)
    return 0


def dead_list(connection: Connection, options: argparse.Namespace) -> int:
    """Print the dead letters of an agent, or of all of them."""
    found = [
        (aid, dead_letter)
        for aid, dead_letter in _dead_letters(connection, options.agent_id)
        if dead_letter.due is None or options.waiting
    ]
    rows = [
        (
            aid,
            dead_letter.name,
            _state(dead_letter),
            dead_letter.tries,
            _date(dead_letter.since),
            dead_letter.reason,
        )
        for aid, dead_letter in found
    ]
    facts = [_facts(*known) for known in found]
    answer(options, facts, as_table(DEAD_HEADS, rows) if rows else "no dead letters")
    return 0


def dead_show(connection: Connection, options: argparse.Namespace) -> int:
    """Print one dead letter, with its record and reason."""
    agent = push_agent(connection, options.agent_id)
    facts = _facts(options.agent_id, agent.delivery_state.dead_letters.get(options.name))
    answer(options, facts, "\n".join(as_lines(facts)))
    return 0


def _dead_letters(connection: Connection, agent_id: str | None) -> Iterator[tuple[str, DeadLetter]]:
    if agent_id is not None:
        chosen = [push_agent(connection, agent_id)]
    else:
        every = SyncManager.getDBInstance(connection).agents()
        chosen = [agent for agent in every if isinstance(agent, PushSyncAgent)]
    for agent in chosen:
        yield from (
            (agent.getId(), dead_letter) for dead_letter in agent.delivery_state.dead_letters
        )


def _facts(agent_id: str, dead_letter: DeadLetter) -> dict[str, Any]:
    return {
        "agent": agent_id,
        "name": dead_letter.name,
        "state": _state(dead_letter),
        "reason": dead_letter.reason,
        "tries": dead_letter.tries,
        "since": _date(dead_letter.since),
        "due": None if dead_letter.due is None else _date(dead_letter.due),
        "record": str(dead_letter.record),
    }


def _entry(connection: Connection, position: int, action: Any) -> dict[str, Any]:
    if not isinstance(action, ActionWrapper):
        return {"position": position, "action": action}
    return {
        "position": position,
        "transaction": None if action.tid is None else f"{action.tid:016x}",
        "token": None if action.tid is None else token_of(connection, action.tid),
        "timestamp": action.timestamp,
        "id": action.getObjectId(),
        "kind": action.kind,
        "actions": sorted(action.getActions()),
    }


def _state(dead_letter: DeadLetter) -> str:
    return "dead" if dead_letter.due is None else "waiting"


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
