"""The conflict report: over which object an attempt conflicted."""

from __future__ import annotations

from typing import NamedTuple

from ZODB.POSException import ConflictError


class ConflictReport(NamedTuple):
    """An object over which an attempt conflicted, and how often."""

    oid: bytes
    class_name: str
    times: int

    @classmethod
    def over(
        cls, error: BaseException, before: ConflictReport | None = None
    ) -> ConflictReport | None:
        """Return the report of *error*; conflicts *before* over the same object are added."""
        if not isinstance(error, ConflictError) or error.oid is None:
            return before
        times = before.times if before is not None and before.oid == error.oid else 0
        return cls(error.oid, error.class_name or "", times + 1)
