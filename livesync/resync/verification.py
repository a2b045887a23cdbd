"""Verification compares an agent's target with the database, at the agent's position."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

from ZODB import DB
from ZODB.Connection import Connection

from livesync.agents.target import TargetAgent
from livesync.delivery.push_agent import push_agent
from livesync.delivery.session import DeliverySession
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.feed.manager import SyncManager
from livesync.records.document import identity
from livesync.records.reduction import STATUS_DELETED, Record, is_record
from livesync.resync.inventory import Inventory, everything, fresh, would_list
from livesync.track.action import recorded

MISSING, DIFFERENT, EXTRA = "missing", "different", "extra"
REPAIRED_AT_ONCE = 1000


class TargetDifference(NamedTuple):
    """An object in which target and database differ."""

    obj_id: str
    what: str
    """missing, different, or extra: it has it, and should not."""


class Verified(NamedTuple):
    """The result of a verification."""

    compared: int
    """How many objects were compared."""

    on_the_way: int
    """How many were not: something of them is still to be delivered, so nothing can be said."""

    differences: list[TargetDifference]
    repaired: int
    """How many of these the target has now as it should."""


class _Known(NamedTuple):
    """An object as the target has it."""

    digest: bytes
    is_listed: bool
    """Whether the inventory would have it, if it were there."""

    kind: str | None
    """Its kind, where the target tells that."""

    own_id: str


class Verification:
    """Compares the target of agent *agent_id* with all that *inventory* lists.

    Exact while others write: an object of which a change is recorded and not delivered is not
    compared, and nothing is delivered meanwhile. *progress* is called with the number of objects
    compared.
    """

    def __init__(
        self,
        database: DB,
        agent_id: str,
        *,
        inventory: Inventory = everything,
        progress: Callable[[int], None] = lambda compared: None,
    ) -> None:
        self._progress = progress
        self._agent_id = agent_id
        self._inventory = inventory
        self._session = DeliverySession(database, agent_id)

    def run(self, *, repair: bool = False) -> Verified:
        """Compare; with *repair*, send what differs.

        Raises UnknownAgentException, AgentBusyException where something is delivered to the agent
        at present, and AgentExecutionException where its target cannot be listed, or fails.
        """
        with self._session as session:
            session.open(lambda agent: None)
            with session.view() as connection:
                return self._verify(connection, repair)

    def _verify(self, connection: Connection, repair: bool) -> Verified:
        agent = push_agent(connection, self._agent_id)
        if not isinstance(agent, TargetAgent):
            raise AgentExecutionException(f"what agent {self._agent_id!r} sends to is not listed")
        if agent.delivery_state.full_export is not None:
            raise AgentBusyException(
                f"the full export to agent {self._agent_id!r} is not complete: there is nothing to "
                "compare"
            )
        known = {obj_id: self._known(connection, obj_id, state) for obj_id, state in agent.listed()}
        coming = _on_the_way(connection, agent)
        differing: dict[TargetDifference, Record] = {}
        compared = 0
        for record in self._records(connection, agent):
            obj_id = identity(record)
            found = known.pop(obj_id, None)
            if obj_id not in coming:
                compared += 1
                self._progress(compared)
                what = _compare(agent, record, found)
                if what:
                    differing[TargetDifference(obj_id, what)] = record
        for obj_id, found in known.items():
            if found.is_listed and obj_id not in coming:
                record = Record(None, found.own_id, STATUS_DELETED, agent.getLastTS(), found.kind)
                differing[TargetDifference(obj_id, EXTRA)] = record
        repaired = self._repair(connection, list(differing.values())) if repair else 0
        if repaired == len(differing):
            self._session.write(partial(_go_on, agent.reached()))
        return Verified(compared, len(coming), list(differing), repaired)

    def _records(self, connection: Connection, agent: TargetAgent) -> Any:
        manager, position = SyncManager.getDBInstance(connection), agent.getLastTS()
        for _, objects in self._inventory(connection, ""):
            yield from filter(agent.may_send, fresh(manager, objects, position))
            connection.cacheGC()

    def _known(self, connection: Connection, obj_id: str, state: Any) -> _Known:
        # Outside the catalogue an identity is `kind:id`; a document tells both.
        *kinds, own_id = obj_id.split(":", 1)
        kind = kinds[0] if kinds else None
        if isinstance(state, dict) and {"type", "id"} <= state.keys():
            kind, own_id = state["type"], state["id"]
        is_listed = self._inventory is not everything or not kind or would_list(connection, kind)
        return _Known(_digest(state), is_listed, kind, own_id)

    def _repair(self, connection: Connection, records: list[Record]) -> int:
        coming = iter(records)
        while part := list(islice(coming, REPAIRED_AT_ONCE)):
            self._session.write(lambda agent: None, self._session.send(part, connection))
        return self._session.records


def _go_on(reached: int | None, agent: TargetAgent) -> None:
    """Note that the target, which may have been ahead, is in line with the database."""
    agent.delivery_state.note_furthest(reached)
    agent.delivery_state.recover()


def _on_the_way(connection: Connection, agent: TargetAgent) -> set[str]:
    """Return the ids of the objects of which something is still to be delivered."""
    manager = SyncManager.getDBInstance(connection)
    pending = map(recorded, manager.unsequenced())
    changes = chain(manager.stored_track.pointerIterItems(agent.getId()), pending)
    records = agent._generateRecords(changes, None, connection)
    dead_letters = (dead_letter.record for dead_letter in agent.delivery_state.dead_letters)
    kept = (record for record in dead_letters if is_record(record))
    return {identity(record) for record in chain(records, kept)}


def _compare(agent: TargetAgent, record: Record, found: _Known | None) -> str:
    if found is None:
        return MISSING
    return "" if found.digest == _digest(agent.prepared(record)) else DIFFERENT


def _digest(state: Any) -> bytes:
    text = repr(sorted(state.items()) if isinstance(state, dict) else state)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
