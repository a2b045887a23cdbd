"""How keys and tokens are used: gathered while requests are answered, written a little later.

A request that only reads commits nothing, and no two requests meet in the record.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection

from export.http.masking import masked
from scheduler.store import transact

log = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
"""How long uses are gathered before they are written."""


class Usage(Persistent):
    """How often a key or token was used, and the last time. Concurrent records add up."""

    count = 0
    last: datetime | None = None
    address = ""
    request = ""
    authenticated = False

    def add(self, uses: Uses) -> None:
        """Record *uses*; the last one is what is remembered of them."""
        self.count += uses.count
        if self.last is None or uses.last >= self.last:
            self.last, self.address = uses.last, uses.address
            self.request, self.authenticated = uses.request, uses.authenticated

    def mask(self) -> None:
        """Take the key out of the recorded request."""
        path, sign, query = self.request.partition("?")
        self.request = f"{path}{sign}{masked(query)}"

    def _p_resolveConflict(  # noqa: N802 (ZODB's name)
        self, old: Mapping[str, Any], saved: Mapping[str, Any], new: Mapping[str, Any]
    ) -> dict[str, Any]:
        count = saved.get("count", 0) + new.get("count", 0) - old.get("count", 0)
        return {**max(saved, new, key=lambda state: state["last"]), "count": count}


@dataclass(frozen=True)
class Uses:
    """The uses of one key or token, counted; `request` is path and parameters of the last."""

    count: int
    last: datetime
    address: str
    request: str
    authenticated: bool

    def after(self, earlier: Uses | None) -> Uses:
        """Return these uses together with *earlier* ones."""
        if earlier is None:
            return self
        latest = self if self.last >= earlier.last else earlier
        return Uses(
            self.count + earlier.count,
            latest.last,
            latest.address,
            latest.request,
            latest.authenticated,
        )


Owner = tuple[Callable[[Connection], Any], str]
"""Where a key or token is kept, and its digest."""


class UsageLog:
    """Gathers the uses of one database's keys and tokens, from any thread."""

    def __init__(self, database: DB) -> None:
        self._database = database
        self._gathered: dict[Owner, Uses] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def note(self, owner: Owner, uses: Uses) -> None:
        """Take *uses* in; they are written within WRITE_SECONDS."""
        with self._lock:
            self._gathered[owner] = uses.after(self._gathered.get(owner))
            if self._timer is None:
                self._timer = threading.Timer(WRITE_SECONDS, _write_later, [weakref.ref(self)])
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write what has gathered."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.write()

    def write(self) -> None:
        """Write what has gathered; what cannot be written is kept for the next time."""
        with self._lock:
            gathered, self._gathered = self._gathered, {}
            self._timer = None
        if not gathered:
            return
        try:
            transact(self._database, lambda connection: _write(connection, gathered), note="usage")
        except Exception:
            log.exception(
                "the use of %d keys and tokens was not recorded; it is retried", len(gathered)
            )
            with self._lock:
                for owner, uses in gathered.items():
                    later = self._gathered.get(owner)
                    self._gathered[owner] = later.after(uses) if later is not None else uses


def _write_later(kept: weakref.ref[UsageLog]) -> None:
    """Write what has gathered, unless whoever gathered it is gone, and its database with it."""
    usage_log = kept()
    if usage_log is not None:
        usage_log.write()


def _write(connection: Connection, gathered: Mapping[Owner, Uses]) -> None:
    for (kept_in, digest), uses in gathered.items():
        credential = kept_in(connection).lookup(digest)
        if credential is not None:
            credential.usage.add(uses)
