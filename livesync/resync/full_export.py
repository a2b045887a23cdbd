"""The full export: all objects as of one transaction, from which the agent follows.

It is sent in parts, and each is written down when it is accepted. An interrupted export resumes
behind its last key, on the same view of the database, and a pack hold keeps that view.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import transaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64

from livesync.delivery.batch import BatchResults
from livesync.delivery.deliverer import push_agent
from livesync.delivery.direct import send_directly
from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.state import ExportProgress
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.feed.manager import SyncManager
from livesync.objects.object_model import KINDS
from livesync.records.reduction import STATUS_DELETED, Record, reduce
from livesync.resync.inventory import Inventory, catalogued, fresh, is_catalogued
from scheduler.clock import nowutc
from scheduler.store import transact, using
from scheduler.store.overlay import snapshot_of
from scheduler.store.pack_hold import holds_of

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# A part has at least so many records, those of one key together; an agent that has a size of
# batches has parts of that.
PART = 1000
# For so long packing is held back.
HELD_SECONDS = 2 * 86400.0


class Sent(NamedTuple):
    """The number of records sent, and the position that the agent follows from."""

    records: int
    position: int | None


class FullExport:
    """Sends all that *inventory* lists to the agent *agent_id* of *database*.

    *anew* forgets one that was broken off. *progress* is called with the number of records sent
    after every part.
    """

    def __init__(
        self,
        database: DB,
        agent_id: str,
        *,
        inventory: Inventory = catalogued,
        anew: bool = False,
        progress: Callable[[int], None] = lambda records: None,
    ) -> None:
        self._database = database
        self._agent_id = agent_id
        self._inventory = inventory
        self._anew = anew
        self._progress = progress
        self._token = secrets.token_hex(8)
        self._records = 0

    def send(self) -> Sent:
        """Send it, or what is left of it; the agent follows from there then.

        Raises UnknownAgentException, AgentBusyException where something is delivered to the agent
        already, and AgentExecutionException where the target fails; then it can be taken up again.
        """
        self._transact(lambda agent: agent.delivery_state.take(self._token, _now()))
        try:
            state = self._take_up()
            try:
                self._send_all(state, self._view(state.tid))
            except POSKeyError:
                # Changes since the view are delivered afterwards, so a later view is as good.
                log.warning("agent %s: the view is packed away, a new one is taken", self._agent_id)
                self._send_all(self._transact(_state), self._view(None))
            with self._view(None) as connection:
                reached = push_agent(connection, self._agent_id).reached()
            self._transact(partial(self._finish, reached))
            return Sent(self._records, state.position)
        finally:
            self._transact(lambda agent: agent.delivery_state.release(self._token))

    def _take_up(self) -> ExportProgress:
        if self._anew:
            self._transact(self._forget)
        state = self._transact(lambda agent: agent.delivery_state.snapshot)
        if state is not None:
            return state
        position = self._transact(lambda agent: SyncManager.getDBInstance(agent).claim())
        self._send_rest(position)
        return self._transact(partial(self._begin, position))

    def _begin(self, position: int | None, agent: PushSyncAgent) -> ExportProgress:
        # A change is at or before the position, or in this view, or behind the position. From
        # now on the track is kept for the agent from there.
        state = agent.delivery_state.snapshot = ExportProgress(
            snapshot_of(agent._p_jar), position, ""
        )
        agent.delivery_state.void()
        agent.cut_off = None
        agent.delivery_state.reach(position)
        if position is not None:
            SyncManager.getDBInstance(agent)._track.movePointer(self._agent_id, position)
        holds_of(agent._p_jar).put(self._hold, state.tid, HELD_SECONDS)
        return state

    @contextmanager
    def _view(self, tid: int | None) -> Iterator[Connection]:
        manager = transaction.TransactionManager()
        is_old = tid is not None and self._database.supportsUndo()
        before = p64(tid + 1) if tid is not None and is_old else None
        connection = self._database.open(transaction_manager=manager, before=before)
        try:
            with using(connection):
                yield connection
        finally:
            manager.abort()
            connection.close()

    def _send_all(self, state: ExportProgress, view: AbstractContextManager[Connection]) -> None:
        with view as connection:
            # The target is about to hear of all that is seen here: what is deleted from now on
            # must be told, even if its creation stands behind the agent's pointer.
            self._transact(_hear)
            for key, records in self._parts(connection, state):
                results = self._send_part(connection, records)
                self._transact(partial(self._note, key, results))
                self._records += len(results.accepted)
                self._progress(self._records)

    def _parts(self, view: Connection, state: ExportProgress) -> Iterator[tuple[str, list[Record]]]:
        manager = SyncManager.getDBInstance(view)
        least = getattr(manager.getAgent(self._agent_id), "_batch_size", PART)
        part: list[Record] = []
        key = state.key
        for key, objects in self._inventory(view, state.key):
            part += fresh(manager, objects, state.position)
            if len(part) >= least:
                yield key, part
                part = []
        if part:
            yield key, part

    def _send_rest(self, position: int | None) -> None:
        """Send what is recorded up to *position* and was not listed, deletions above all."""
        if position is None:
            return
        with self._view(None) as connection:
            manager = SyncManager.getDBInstance(connection)
            news = manager._track.pointerIterItems(self._agent_id, position)
            found = reduce(news, dbi=connection, excluded=manager.exclusion.excludes)
            rest = [record for record in found if not self._was_listed(connection, record)]
            results = self._send_part(connection, rest)
        self._transact(partial(self._enter, results))
        self._records += len(results.accepted)

    def _was_listed(self, connection: Connection, record: Record) -> bool:
        if self._inventory is not catalogued or record[2] & STATUS_DELETED:
            return False
        return record.kind in KINDS and is_catalogued(connection, str(record[1]))

    def _send_part(self, connection: Connection, records: list[Record]) -> BatchResults:
        try:
            return send_directly(push_agent(connection, self._agent_id), records, connection)
        except AgentExecutionException as error:
            reason = str(error)
            self._transact(lambda agent: agent.delivery_state.fail(reason, _now()))
            raise AgentExecutionException(
                f"agent {self._agent_id!r} failed: {reason}; call this again to go on"
            ) from error

    def _note(self, key: str, results: BatchResults, agent: PushSyncAgent) -> None:
        agent.delivery_state.snapshot = _state(agent)._replace(key=key)
        self._enter(results, agent)

    def _enter(self, results: BatchResults, agent: PushSyncAgent) -> None:
        if not agent.delivery_state.is_held_by(self._token):
            raise AgentBusyException("another process delivers to this agent now")
        agent.delivery_state.take(self._token, _now())
        agent.delivery_state.enter(results, _now())

    def _finish(self, reached: int | None, agent: PushSyncAgent) -> None:
        state = _state(agent)
        agent.delivery_state.close()
        agent.delivery_state.reach(
            reached
        )  # whatever it was told before, it is as the database now
        self._forget(agent)
        if state.position is not None:
            SyncManager.getDBInstance(agent).advance(self._agent_id, state.position)

    def _forget(self, agent: PushSyncAgent) -> None:
        agent.delivery_state.snapshot = None
        holds_of(agent._p_jar).release(self._hold)

    @property
    def _hold(self) -> str:
        return f"snapshot for agent {self._agent_id}"

    def _transact(self, work: Callable[[PushSyncAgent], Result]) -> Result:
        return transact(
            self._database,
            lambda own: work(push_agent(own, self._agent_id)),
            note=f"livesync: snapshot for {self._agent_id}",
        )


def _state(agent: PushSyncAgent) -> ExportProgress:
    if agent.delivery_state.snapshot is None:
        raise AgentBusyException("another process has ended or forgotten this snapshot")
    return agent.delivery_state.snapshot


def _hear(agent: PushSyncAgent) -> None:
    agent.delivery_state.hear(SyncManager.getDBInstance(agent).claim())


def _now() -> float:
    return nowutc().timestamp()
