"""Tasks that run only after an agent has delivered the changes before them.

Reference 4.3 has the pointer move when a target has accepted; that is when such a task is
enqueued, in the same commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from livesync.errors import TokenException, TokenGoneException
from livesync.track.commit_positions import CommitPositions
from scheduler.errors import PositionGone, PositionUnreadable
from scheduler.log.append_log import AppendLog
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store import Schema, connection_of
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import is_token, tokens_of
from scheduler.tasks import BaseTask
from scheduler.tasks.entering import enter

log = logging.getLogger(__name__)


class WaitToken(NamedTuple):
    """An agent, and the number of a transaction that it is to have delivered."""

    agent_id: str
    tid: int

    def __str__(self) -> str:
        return f"{self.agent_id}:{self.tid:016x}"

    @classmethod
    def read(cls, text: str, connection: Connection | None = None) -> WaitToken:
        """Return the token that is written as *text*; raises TokenException.

        Instead of a number it may have a position of the database of *connection*, as answers and
        records tell them.
        """
        agent_id, colon, number = text.rpartition(":")
        try:
            if not colon or not agent_id:
                raise ValueError
            if connection is not None and is_token(number):
                return cls(agent_id, transaction_of(number, connection))
            if len(number) != 16:
                raise ValueError
            return cls(agent_id, int(number, 16))
        except ValueError:
            raise TokenException(
                f"{text!r} is no token: it must be an agent's id, ':' and a position, as "
                "'indico_livesync token' prints it, or 16 hexadecimal digits"
            ) from None


def transaction_of(position: str, connection: Connection) -> int:
    """Return the number of the transaction for which *position* stands.

    Raises TokenException, and TokenGoneException for one from before a restore.
    """
    try:
        return tokens_of(connection).read(position)
    except PositionGone as error:
        raise TokenGoneException(str(error)) from None
    except PositionUnreadable as error:
        raise TokenException(str(error)) from None


def refuse_if_gone(token: WaitToken, connection: Connection) -> None:
    """Raise TokenGoneException where the database has lost the transaction of *token*.

    The database was restored to an earlier state since, or packed. A transaction that *connection*
    need not see yet is not refused; storages without history are not checked.
    """
    database = connection.db()
    if not (0 < token.tid <= snapshot_of(connection) and database.supportsUndo()):
        return
    if not list(stored_transactions(database.storage, p64(token.tid), p64(token.tid))):
        raise TokenGoneException(
            f"the transaction of {token} is not in the database: a backup was put back, or it was "
            "packed; make a new token"
        )


def wanted_transaction(
    token: WaitToken | str | None, agent_id: str, connection: Connection
) -> int | None:
    """Return the transaction that *token*, one of the agent or a position, stands for; or None.

    Raises TokenException, and TokenGoneException.
    """
    if token is None:
        return None
    if isinstance(token, str):
        text = f"{agent_id}:{token}" if is_token(token) else token
        token = WaitToken.read(text, connection)
    if token.agent_id != agent_id:
        raise TokenException(f"the token {token} is about another agent than {agent_id!r}")
    refuse_if_gone(token, connection)
    return token.tid


def token(agent_id: str, source: Connection | Persistent | None = None) -> WaitToken:
    """Return the token for what was committed so far, as far as a connection sees it.

    *source* is that connection, or an object: then what was committed up to its last change.
    """
    if isinstance(source, Persistent) and not isinstance(source, Connection):
        source._p_activate()
        return WaitToken(agent_id, u64(source._p_serial))
    return WaitToken(agent_id, snapshot_of(connection_of(source)))


class DeliveryWaits(Persistent):
    """The tasks that wait for deliveries.

    Conflict behaviour: `put` conflicts with nothing; to take tasks up and to let them go are
    part of sequencing and of moving a pointer, and repeated like those.
    """

    def __init__(self) -> None:
        self._arrivals = AppendLog()
        self._tasks = OOBTree()  # (agent's id, position, object id) -> task

    def put(self, task: BaseTask, agent_id: str, tid: int | None) -> None:
        """Store *task* as waiting for transaction *tid*; None stands for the current one."""
        if task._p_oid is None:
            connection_of(self).add(task)
        self._arrivals.append((task, agent_id, tid))

    def has_arrivals(self) -> bool:
        """Say whether there are tasks that have not been taken up yet."""
        return bool(self._arrivals)

    def take_up(
        self,
        newest: int | None,
        milestones: CommitPositions,
        pointer_of: Callable[[str], int | None],
    ) -> None:
        """Find out for all arrivals what they wait for: *newest* where that is not known better.

        To be called where all changes that this snapshot sees stand on the track.
        """
        for task, agent_id, tid in self._arrivals.drain():
            goal = newest if tid is None else milestones.goal(tid) or newest
            try:
                pointer = pointer_of(agent_id)
            except KeyError:
                self._expire(task, agent_id)
                continue
            if goal is None or (pointer is not None and pointer >= goal):
                enter(task, self._p_jar)
            else:
                self._tasks[agent_id, goal, task._p_oid] = task

    def let_go(self, agent_id: str, position: int) -> None:
        """Enqueue the tasks that wait for a position up to *position* of the agent."""
        for key in list(self._tasks.keys((agent_id,), (agent_id, position + 1), excludemax=True)):
            enter(self._tasks.pop(key), self._p_jar)

    def drop(self, agent_id: str) -> None:
        """Expire the tasks that wait for an agent that was removed."""
        for key in list(self._tasks.keys((agent_id,), (agent_id + "\0",), excludemax=True)):
            self._expire(self._tasks.pop(key), agent_id)

    def count(self, agent_id: str) -> int:
        """Return how many tasks wait for the agent, those left out that were just put."""
        return len(self._tasks.keys((agent_id,), (agent_id + "\0",), excludemax=True))

    def _expire(self, task: BaseTask, agent_id: str) -> None:
        log.error("%r waited for agent %s, which is gone: it ends without a run", task, agent_id)
        task.expiryDate = _PAST
        enter(task, self._p_jar)


SCHEMA = Schema("waiting", 1, DeliveryWaits)

# Of a task that has expired at this date, nobody will think that it may still run.
_PAST = datetime(1970, 1, 1, tzinfo=UTC)
