"""SyncManager: the agents, the track they follow, and the changes on their way into it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import Connection

from livesync.errors import (
    CutOffException,
    DuplicateAgentException,
    QueryException,
    UnknownAgentException,
)
from livesync.feed import delivery_waits
from livesync.feed.agent import MissingAgent, SyncAgent, check_id, why_missing
from livesync.feed.delivery_waits import WaitToken
from livesync.objects.exclusion import Exclusion, ReplacedExclusion
from livesync.objects.object_index import keep
from livesync.records import sight
from livesync.track import commit_positions, journal
from livesync.track.action import ActionWrapper, as_entry
from livesync.track.compensation import opposites
from livesync.track.pointer import hold
from livesync.track.retention_policy import TrackRetention
from livesync.track.sequencer import place, sequence
from livesync.track.set_track import SetMultiPointerTrack
from livesync.track.track import MultiPointerTrack
from scheduler.clock import nowutc
from scheduler.log.append_log import AppendLog, Committed
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.store import Schema, connection_of, has_changes, transact
from scheduler.store.overlay import snapshot_of
from scheduler.tasks import BaseTask

SEQUENCED_AT_ONCE = 1000

ENDS = {"created", "deleted"}
"""The actions that concern the index of an exposed class."""

Result = TypeVar("Result")


class SyncManager(Persistent):
    """Container of agents and of the track (reference 4.2); *granularity* is seconds per bin.

    Conflict behaviour: `add` conflicts with nothing. Readers (`getTrack`, `query`, a run)
    first move pending changes into the track: in a transaction of its own, repeated on
    conflict, where the caller has changed nothing yet; otherwise within the caller's.
    """

    _excluded = Exclusion()
    _replaced: tuple[ReplacedExclusion, ...] = ()
    _retention = TrackRetention()

    def __init__(self, granularity: float = 100) -> None:
        if not isinstance(granularity, int | float) or granularity <= 0:
            raise ValueError(f"granularity is {granularity!r}: it must be more than 0 seconds")
        self._granularity = granularity
        self._lanes = AppendLog()
        self._agents = PersistentMapping()
        self._track = SetMultiPointerTrack()

    @classmethod
    def getDBInstance(cls, connection: Connection | Persistent | None = None) -> SyncManager:
        """Return the manager of the database of *connection*, or of the current one."""
        connection = connection_of(connection)
        if not SCHEMA.exists(connection):
            # Now, while there may be nothing that they would join.
            commit_positions.SCHEMA.get(connection)
            delivery_waits.SCHEMA.get(connection)
            journal.SCHEMA.get(connection)
        return SCHEMA.get(connection)

    def getGranularity(self) -> float:
        """Return how many seconds make up one bin."""
        return self._granularity

    def setGranularity(self, granularity: float) -> None:
        """Make bins of *granularity* seconds from now on; ValueError for longer ones than before.

        Changes recorded until now keep their positions, which then are of earlier times than
        they were.
        """
        if not 0 < granularity <= self._granularity:
            raise ValueError(
                f"granularity is {granularity!r}: it must be more than 0, and not more "
                f"than the present {self._granularity:g} seconds, so that positions go on growing"
            )
        self._granularity = granularity

    @property
    def retention(self) -> TrackRetention:
        """How long the track keeps changes."""
        return self._retention

    @retention.setter
    def retention(self, retention: TrackRetention) -> None:
        self._retention = retention

    def getAllAgents(self) -> PersistentMapping:
        """Return the mapping of agents by their ids."""
        return self._agents

    def getAgent(self, agentId: str) -> SyncAgent:
        """Return the agent with this id; raises UnknownAgentException, a KeyError."""
        if agentId not in self._agents:
            known = ", ".join(sorted(map(repr, self._agents))) or "none"
            raise UnknownAgentException(f"no agent {agentId!r} is registered; there are: {known}")
        agent: SyncAgent = self._agents[agentId]
        complaint = why_missing(agentId, agent)
        if complaint is not None:
            agent = MissingAgent(agentId, complaint)
            agent.setManager(self)
        return agent

    def agents(self) -> list[SyncAgent]:
        """Return all agents by their ids, MissingAgent for those that cannot be had."""
        return [self.getAgent(agent_id) for agent_id in sorted(self._agents)]

    @property
    def stored_track(self) -> MultiPointerTrack:
        """The track without the changes that are still to be sequenced."""
        return self._track

    def getTrack(self) -> MultiPointerTrack:
        """Return the track, with all in it that was recorded."""
        self.sequence()
        return self._track

    def add(self, timestamp: float, action: Any) -> None:
        """Record *action*, done at *timestamp* (Unix seconds), in the caller's transaction."""
        REGISTRY.call("on_change", action)
        position = int(timestamp // self._granularity)
        if self._lanes._p_jar is None:
            # Not stored yet: there is nobody else to come in between.
            place(self._track, position, action)
        else:
            self._lanes.append(as_entry(position, action))
            if isinstance(action, ActionWrapper) and ENDS & action.getActions():
                self._keep_index(action)

    def registerNewAgent(self, agent: SyncAgent) -> None:
        """Take *agent* in, with a pointer before the oldest change.

        Raises DuplicateAgentException where another agent has its id, and AgentSettingException
        for an id that is empty or would not be seen in one line.
        """
        check_id(agent.getId())
        if agent.getId() in self._agents:
            raise DuplicateAgentException(
                f"agent {agent.getId()!r} is registered already: choose another id, or remove "
                "the registered agent first"
            )
        self._agents[agent.getId()] = agent
        self._track.addPointer(agent.getId())
        agent.setManager(self)

    def removeAgent(self, agent: SyncAgent) -> None:
        """Remove *agent* and its pointer; raises UnknownAgentException."""
        registered = self.getAgent(agent.getId())
        if self._p_jar is not None:
            delivery_waits.SCHEMA.get(self._p_jar).drop(agent.getId())
        self._track.removePointer(agent.getId())
        del self._agents[agent.getId()]
        registered.setManager(None)

    def query(self, agentId: str | None = None, till: int | None = None) -> Iterator[Any]:
        """Return the (position, action) pairs that the agent has before it, up to *till*.

        Newest first, read while iterated. Later changes are placed behind *till* (the newest
        position for None), so that `advance` to there misses nothing. Raises
        QueryException without an agent, KeyError for an unknown one.
        """
        if agentId is None:
            raise QueryException("a query reads on behalf of an agent: say which, by its id")
        self._track.getPointerTimestamp(agentId)
        agent = self.getAgent(agentId) if agentId in self._agents else None
        if agent is not None and agent.cut_off is not None:
            raise CutOffException(f"agent {agentId!r} was cut off: {agent.cut_off}")
        end = self.claim(till)
        return iter(()) if end is None else self._track.pointerIterItems(agentId, end)

    def advance(self, agentId: str, newLastTS: int) -> None:
        """Move the agent's pointer to position *newLastTS*; raises as the track does.

        Changes up to there count as delivered, also unread ones. Tasks that waited for that are
        enqueued.
        """
        frontier = self._track.frontier
        if newLastTS is not None and (frontier is None or newLastTS > frontier):
            self.sequence()
        self._track.movePointer(agentId, newLastTS)
        if self._p_jar is not None:
            delivery_waits.SCHEMA.get(self._p_jar).let_go(agentId, newLastTS)

    def enqueueAfter(
        self, task: BaseTask, agentId: str, token: WaitToken | str | None = None
    ) -> None:
        """Enqueue *task* for when the agent has delivered what a *token* stands for.

        Without one that is all that was changed before, and in the caller's transaction; the
        position of an answer is a token, too. The task
        is never run earlier, and due at once when the agent's pointer has moved so far. Raises
        UnknownAgentException, and TokenException for a token that is none or another agent's.
        """
        self.getAgent(agentId)
        connection = connection_of(self)
        tid = delivery_waits.wanted_transaction(token, agentId, connection)
        delivery_waits.SCHEMA.get(connection).put(task, agentId, tid)

    def isDelivered(self, token: WaitToken) -> bool:
        """Say whether the agent has delivered what *token* stands for, as far as is seen here.

        Raises UnknownAgentException, and TokenGoneException for a transaction that is not in the
        database, as one of a time that was lost when a backup was put back.
        """
        self.getAgent(token.agent_id)
        delivery_waits.refuse_if_gone(token, connection_of(self))
        known = commit_positions.SCHEMA.get(connection_of(self))
        goal = known.goal(token.tid)
        if goal is None:
            if snapshot_of(connection_of(self)) < token.tid:
                return False
            self.sequence()
            goal = known.goal(token.tid) or self._track.last_before(None)
        pointer = self._delivered_up_to(token.agent_id)
        return goal is None or (pointer is not None and pointer >= goal)

    def claim(self, till: int | None = None) -> int | None:
        """Make sure that nothing is added up to position *till* any more; return the position.

        None stands for the newest position, -1 for the one before it. Returns None where there
        is nothing to claim, as on an empty track.
        """
        self.sequence()
        position = self._track.last_before(till)
        if position is None:
            return None
        frontier = self._track.frontier
        if frontier is None or position > frontier:
            self._in_a_unit(lambda manager: manager.stored_track.reach(position))
        return position

    def known_up_to(self) -> float:
        """Return the position up to which agents may have read; minus infinity for nowhere yet.

        Infinity where the caller has changed something already: who knows what becomes of it.
        """
        if self._p_jar is not None and has_changes(self._p_jar):
            return math.inf
        frontier = self._track.frontier
        return -math.inf if frontier is None else frontier

    def sequence(self) -> int:
        """Move what is pending now into the track; return how many changes that were."""
        if any(replaced.tid < snapshot_of(self._p_jar) for replaced in self._replaced):
            self._in_a_unit(SyncManager._recheck)
        rounds = max(-(-len(self._lanes) // SEQUENCED_AT_ONCE), int(self._lanes.has_revoked()))
        count = sum(self._in_a_unit(SyncManager._sequence_some) for _ in range(rounds))
        if self._p_jar is not None and delivery_waits.SCHEMA.get(self._p_jar).has_arrivals():
            self._in_a_unit(SyncManager._take_up_waiting)
        return count

    def tend(self) -> int:
        """Remove the segments of processes that are gone; return how many those were.

        Changes of transactions that were undone long after are found here, too.
        """
        self._record_undone(thorough=True)
        return self._lanes.tend()

    def pending(self) -> int:
        """Return how many recorded changes are not in the track yet."""
        return len(self._lanes)

    def unsequenced(self) -> Iterator[tuple[Any, ...]]:
        """Yield the recorded changes that are still to be sequenced, as entries of a log."""
        return self._lanes.pending()

    def unsequenced_by_commits(self) -> Iterator[Committed]:
        """Yield the same, with the transactions that recorded them; None for the current one."""
        return self._lanes.committed()

    def reset(self, agentsOnly: bool = False, trackOnly: bool = False) -> None:
        """Empty the track and drop the agents, or one of both.

        With *trackOnly* the agents stay, with pointers before the oldest change.
        """
        if not trackOnly:
            for agent in self.agents():
                self.removeAgent(agent)
        if not agentsOnly:
            self._lanes.clear()
            if self._p_jar is not None:
                journal.SCHEMA.get(self._p_jar).clear(snapshot_of(self._p_jar))
            self._track = SetMultiPointerTrack()
            for agent in self.agents():
                self._track.addPointer(agent.getId())
                agent.setManager(self)

    def exclude(
        self,
        categories: Iterable[Any] = (),
        classes: Iterable[type | str] = (),
        functions: Iterable[Callable[[Any], bool] | str] = (),
    ) -> None:
        """Ignore these from now on, and nothing else.

        That is what happens in *categories* (ids) and below them, objects of *classes* or their
        subclasses, and those for which one of *functions* returns true. Classes and functions
        are remembered by name (`module:name`). ValueError for a function that is not found so.
        The objects of the catalogue that this hides or shows are recorded, where an agent may
        have told of them; those that others add or move at the same time, once it is committed.
        """
        former, wanted = self._excluded, Exclusion.of(categories, classes, functions)
        if wanted == former:
            return
        self._excluded = wanted
        if self._p_jar is not None and any(agent.may_have_sent for agent in self.agents()):
            sight.record_exclusion(self, int(nowutc().timestamp()), former)
            replaced = ReplacedExclusion(snapshot_of(self._p_jar), self._track.frontier, former)
            self._replaced = (*self._replaced, replaced)

    @property
    def exclusion(self) -> Exclusion:
        """The exclusion in force."""
        return self._excluded

    def objectExcluded(self, obj: Any) -> bool:
        """Say whether changes of *obj* are ignored."""
        return self._excluded.excludes(obj)

    def _keep_index(self, action: ActionWrapper) -> None:
        is_over = "deleted" in action.getActions()
        keep(self._p_jar, action.getObject(), action.kind, action.getObjectId(), is_over)

    def _sequence_some(self) -> int:
        hold(self)  # a reset meanwhile replaces the track
        if self._lanes.has_revoked():
            self._record_undone()
        kept = None if self._p_jar is None else journal.SCHEMA.get(self._p_jar)
        count = sequence(self._lanes, self._track, kept, SEQUENCED_AT_ONCE)
        newest = self._track.last_before(None)
        if self._p_jar is not None and newest is not None and not self._lanes:
            commit_positions.SCHEMA.get(self._p_jar).put(snapshot_of(self._p_jar), newest)
        return count

    def _delivered_up_to(self, agent_id: str) -> int | None:
        # During a full export the pointer is already where the agent will follow from.
        return (
            None
            if self.getAgent(agent_id).is_exporting
            else self._track.getPointerTimestamp(agent_id)
        )

    def _recheck(self) -> None:
        """Record what was added or moved by an exclusion that was replaced at the same time."""
        for replaced in self._replaced:
            sight.recheck(self, int(nowutc().timestamp()), replaced.former, replaced.frontier)
        if self._replaced:
            self._replaced = ()

    def _record_undone(self, *, thorough: bool = False) -> None:
        timestamp = int(nowutc().timestamp())
        for action in opposites(self._lanes.revoked(thorough=thorough), timestamp):
            self.add(timestamp, action)

    def _take_up_waiting(self) -> None:
        while self._lanes:
            self._sequence_some()
        delivery_waits.SCHEMA.get(self._p_jar).take_up(
            self._track.last_before(None),
            commit_positions.SCHEMA.get(self._p_jar),
            self._delivered_up_to,
        )

    def _in_a_unit(self, work: Callable[[SyncManager], Result]) -> Result:
        connection, oid = self._p_jar, self._p_oid
        if connection is None or connection.isReadOnly() or has_changes(connection):
            return work(self)
        result = transact(
            connection.db(), lambda own: work(own.get(oid)), note="livesync: sequence"
        )
        # Nothing was changed here yet, so the snapshot may move on to what was just done.
        connection.newTransaction(None)
        return result


SCHEMA: Schema[SyncManager] = Schema("livesync", 1, SyncManager)
