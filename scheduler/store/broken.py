"""Broken objects: what stands for stored objects whose class cannot be imported."""

from __future__ import annotations

from typing import Any

from ZODB.broken import PersistentBroken


def forget_broken(obj: Any) -> None:
    """Let *obj*, if it is broken, be made anew when it is next met: its class may be back then."""
    # The cache would give the same object as long as anybody refers to it.
    if isinstance(obj, PersistentBroken) and obj._p_jar._cache.get(obj._p_oid) is obj:
        del obj._p_jar._cache[obj._p_oid]
