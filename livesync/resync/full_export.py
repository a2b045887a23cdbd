"""The full export: all objects as of one transaction, from which the agent follows.

It is sent in parts, and each is written down when it is accepted. An interrupted export resumes
behind its last key, on the same view of the database, and a pack hold keeps that view.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.results import NO_RESULTS, BatchResults
from livesync.delivery.session import DeliverySession
from livesync.delivery.state import ExportProgress
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.feed.manager import SyncManager
from livesync.records.reduction import STATUS_DELETED, Record, reduce
from livesync.resync.inventory import Inventory, everything, fresh, is_listed
from scheduler.clock import nowutc
from scheduler.store.overlay import snapshot_of
from scheduler.store.pack_hold import holds_of

log = logging.getLogger(__name__)

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
    after every part. `keys` is the number of keys of the inventory that are behind it by then.
    """

    def __init__(
        self,
        database: DB,
        agent_id: str,
        *,
        inventory: Inventory = everything,
        anew: bool = False,
        progress: Callable[[int], None] = lambda records: None,
    ) -> None:
        self._agent_id = agent_id
        self._inventory = inventory
        self._anew = anew
        self._session = DeliverySession(database, agent_id, progress=progress)
        self.keys = 0

    def send(self) -> Sent:
        """Send it, or what is left of it; the agent follows from there then.

        Raises UnknownAgentException, AgentBusyException where something is delivered to the agent
        already, and AgentExecutionException where the target fails; then it can be taken up again.
        """
        with self._session as session:
            progress = session.open(self._take_up) or self._begun()
            try:
                self._send_all(progress, session.view(progress.tid))
            except POSKeyError:
                # Changes since the view are delivered afterwards, so a later view is as good.
                log.warning("agent %s: the view is packed away, a new one is taken", self._agent_id)
                self._send_all(session.write(_progress), session.view())
            with session.view() as connection:
                reached = push_agent(connection, self._agent_id).reached()
            session.write(partial(self._finish, reached))
            return Sent(session.records, progress.position)

    def _take_up(self, agent: PushSyncAgent) -> ExportProgress | None:
        if self._anew:
            self._forget(agent)
        return agent.delivery_state.full_export

    def _begun(self) -> ExportProgress:
        position = self._session.write(lambda agent: SyncManager.getDBInstance(agent).claim())
        rest = self._send_rest(position)
        return self._session.write(partial(self._begin, position), rest)

    def _begin(self, position: int | None, agent: PushSyncAgent) -> ExportProgress:
        # A change is at or before the position, or in this view, or behind the position. From
        # now on the track is kept for the agent from there.
        state = agent.delivery_state
        progress = state.full_export = ExportProgress(snapshot_of(agent._p_jar), position, "")
        state.void()
        agent.cut_off = None
        state.note_furthest(position)
        if position is not None:
            SyncManager.getDBInstance(agent).stored_track.movePointer(self._agent_id, position)
        holds_of(agent._p_jar).put(self._hold, progress.tid, HELD_SECONDS)
        return progress

    def _send_all(self, progress: ExportProgress, view: AbstractContextManager[Connection]) -> None:
        with view as connection:
            # The target is about to know all that is seen here: a deletion from now on must be
            # sent, even if the creation stands behind the agent's pointer.
            self._session.write(_note_known)
            for key, records in self._parts(connection, progress):
                results = self._send_part(connection, records)
                self._session.write(partial(_note_key, key), results)

    def _parts(
        self, view: Connection, progress: ExportProgress
    ) -> Iterator[tuple[str, list[Record]]]:
        manager = SyncManager.getDBInstance(view)
        agent = push_agent(view, self._agent_id)
        least = getattr(agent, "_batch_size", PART)
        part: list[Record] = []
        key = progress.key
        for key, objects in self._inventory(view, progress.key):
            self.keys += 1
            part += filter(agent.may_send, fresh(manager, objects, progress.position))
            if len(part) >= least:
                yield key, part
                part = []
        if part:
            yield key, part

    def _send_rest(self, position: int | None) -> BatchResults:
        """Send what is recorded up to *position* and was not listed, deletions above all."""
        if position is None:
            return NO_RESULTS
        with self._session.view() as connection:
            manager = SyncManager.getDBInstance(connection)
            changes = manager.stored_track.pointerIterItems(self._agent_id, position)
            agent = push_agent(connection, self._agent_id)
            excluded = manager.exclusion.excludes
            found = reduce(changes, dbi=connection, excluded=excluded, wanted=agent.filter)
            rest = [
                record
                for record in filter(agent.may_send, found)
                if not self._was_listed(connection, record)
            ]
            return self._send_part(connection, rest)

    def _was_listed(self, connection: Connection, record: Record) -> bool:
        if self._inventory is not everything or record[2] & STATUS_DELETED:
            return False
        return is_listed(connection, record)

    def _send_part(self, connection: Connection, records: list[Record]) -> BatchResults:
        try:
            return self._session.send(records, connection)
        except AgentExecutionException as error:
            reason = str(error)
            self._session.write(lambda agent: agent.delivery_state.fail(reason, _now()))
            raise AgentExecutionException(
                f"agent {self._agent_id!r} failed: {reason}; call this again to go on"
            ) from error

    def _finish(self, reached: int | None, agent: PushSyncAgent) -> None:
        position = _progress(agent).position
        agent.delivery_state.close()
        # The target is as the database now, at whichever position it was before.
        agent.delivery_state.note_furthest(reached)
        self._forget(agent)
        if position is not None:
            SyncManager.getDBInstance(agent).advance(self._agent_id, position)
        self._session.release(agent)

    def _forget(self, agent: PushSyncAgent) -> None:
        agent.delivery_state.full_export = None
        holds_of(agent._p_jar).release(self._hold)

    @property
    def _hold(self) -> str:
        return f"full export to agent {self._agent_id}"


def _progress(agent: PushSyncAgent) -> ExportProgress:
    progress = agent.delivery_state.full_export
    if progress is None:
        raise AgentBusyException("another process has completed or forgotten this full export")
    return progress


def _note_key(key: str, agent: PushSyncAgent) -> None:
    agent.delivery_state.full_export = _progress(agent)._replace(key=key)


def _note_known(agent: PushSyncAgent) -> None:
    agent.delivery_state.note_known(SyncManager.getDBInstance(agent).claim())


def _now() -> float:
    return nowutc().timestamp()
