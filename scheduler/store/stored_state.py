"""The stored state of an object, unread: its class, and the objects that it refers to."""

from __future__ import annotations

from collections.abc import Iterable

from ZODB.serialize import referencesf
from ZODB.utils import get_pickle_metadata, u64

from scheduler.store.moved import current_path


def class_of(state: bytes) -> tuple[str, str]:
    """Return the module and name of the class that the stored *state* belongs to, moved or not."""
    module, name = get_pickle_metadata(state) if state else ("", "")
    return current_path(str(module), str(name))


def references(state: bytes) -> Iterable[int]:
    """Return the numbers of the objects that *state* refers to."""
    return map(u64, referencesf(state)) if state else ()
