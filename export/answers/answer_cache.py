"""The answers that this process keeps, within bounds, each as long as it is the right one."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable

from ZODB import DB

from export.answers.kept_answer import AnswerKey, KeptAnswer
from scheduler.clock import nowutc
from scheduler.store.invalidations import Invalidations

REMEMBERED = 1000
"""How many changes are remembered, for answers that are computed meanwhile."""

LARGEST_PART = 4
"""An answer is not kept that takes more than this part of all the room there is."""


class AnswerCache:
    """Answers by their questions, until an object changes that they were made from.

    The state of the database has a number, which is another one after each change that this
    process hears of. An answer that was computed on a snapshot is kept if no object that it was
    made from changed from the number before the snapshot to the present one.
    """

    def __init__(self, database: DB, most_bytes: int) -> None:
        self._invalidations = Invalidations(database)
        self._most = most_bytes
        self._lock = threading.Lock()
        self._forget_all(0)

    @property
    def size(self) -> int:
        """About how many bytes all answers take."""
        return self._size

    def __len__(self) -> int:
        return len(self._answers)

    def state(self) -> int:
        """Return the number of the present state. Raises StorageError."""
        with self._lock:
            return self._look()

    def find(self, key: AnswerKey, state: int | None = None) -> tuple[KeptAnswer, int] | None:
        """Return the answer to *key* in the present state; None if none is kept.

        Beside it stands the number of the last transaction up to which it is the right one.
        Given a *state*, only if it is the present one still. Raises StorageError.
        """
        with self._lock:
            if self._look() != state and state is not None:
                return None
            tid = self._invalidations.tid
            kept = self._answers.get(key)
            if kept is None:
                return None
            if kept.until is not None and nowutc() >= kept.until:
                self._forget(key)
                return None
            self._answers.move_to_end(key)
            return kept, tid

    def keep(self, key: AnswerKey, answer: KeptAnswer, state: int) -> None:
        """Keep *answer*, which was computed on a snapshot of *state* or a later one."""
        if answer.size > self._most // LARGEST_PART:
            return
        with self._lock:
            self._look()
            if not self._is_unchanged(answer.serials, state):
                return
            self._forget(key)
            self._answers[key] = answer
            self._size += answer.size
            for oid in answer.serials:
                self._by_oid.setdefault(oid, set()).add(key)
            while self._size > self._most:
                self._forget(next(iter(self._answers)))

    def close(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._forget_all(self._state)
            self._invalidations.close()

    def _look(self) -> int:
        changed = self._invalidations.look()
        if changed is None:
            self._forget_all(self._state + 1)
        elif changed:
            self._state += 1
            self._recent.append((self._state, frozenset(changed)))
            for oid in changed:
                for key in tuple(self._by_oid.get(oid, ())):
                    self._forget(key)
        return self._state

    def _is_unchanged(self, oids: Iterable[bytes], state: int) -> bool:
        oldest = self._recent[0][0] if self._recent else self._state + 1
        if state < self._first or state < oldest - 1:
            return False
        return all(
            changed.isdisjoint(oids) for number, changed in reversed(self._recent) if number > state
        )

    def _forget(self, key: AnswerKey) -> None:
        kept = self._answers.pop(key, None)
        if kept is None:
            return
        self._size -= kept.size
        for oid in kept.serials:
            keys = self._by_oid[oid]
            keys.discard(key)
            if not keys:
                del self._by_oid[oid]

    def _forget_all(self, state: int) -> None:
        self._state = self._first = state
        self._size = 0
        self._answers: OrderedDict[AnswerKey, KeptAnswer] = OrderedDict()
        self._by_oid: dict[bytes, set[AnswerKey]] = {}
        self._recent: deque[tuple[int, frozenset[bytes]]] = deque(maxlen=REMEMBERED)
