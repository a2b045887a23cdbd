"""Differences: what changed in an object from one stored state to another, name by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.storage.internals import reader_of
from scheduler.store.stored_state import class_of

TEXT_LENGTH = 200


class StateDifference(NamedTuple):
    """An attribute, or the entry of one key, before and after; None if it does not exist."""

    name: str
    before: str | None
    after: str | None


class AttributeChange(NamedTuple):
    """A changed object: its number (None for a new one), its class, and the differences."""

    number: int | None
    kind: str
    differences: list[StateDifference]


class Describer:
    """Describes stored states for people; the objects in *made* are called new."""

    def __init__(self, connection: Connection, made: Iterable[int] = ()) -> None:
        self._reader = reader_of(connection)
        self._made = set(made)

    def change(self, number: int, before: bytes, after: bytes) -> AttributeChange:
        """Return how object *number* changed from one state to the other; both as stored."""
        module, name = class_of(after or before)
        is_new = number in self._made
        old = self.describe(before)
        new = self.describe(after)
        names = sorted({*old, *new})
        differences = [
            StateDifference(name, _short(old.get(name)), _short(new.get(name)))
            for name in names
            if old.get(name) != new.get(name)
        ]
        return AttributeChange(None if is_new else number, f"{module}.{name}", differences)

    def describe(self, state: bytes) -> dict[str, str]:
        """Return the attributes or entries of the object with this *state*, each as a text."""
        if not state:
            return {}
        kind = self._reader.getGhost(state).__class__
        return {
            name: self._text(value) for name, value in _facts(kind, self._reader.getState(state))
        }

    def _text(self, value: Any) -> str:
        if isinstance(value, Persistent):
            return self._name(value)
        if isinstance(value, tuple | list) and any(isinstance(v, Persistent) for v in value):
            return f"({', '.join(map(self._text, value))})"
        try:
            return repr(value)
        except Exception as error:  # noqa: BLE001 (whatever an object of the application does)
            return f"<{type(value).__name__} without a text: {error!r}>"

    def _name(self, obj: Persistent) -> str:
        kind = type(obj).__name__
        if obj._p_oid is None or u64(obj._p_oid) in self._made:
            return f"<new {kind}>"
        return f"<{kind} {u64(obj._p_oid)}>"


def _facts(kind: type, state: Any) -> Iterable[tuple[str, Any]]:
    if state is None:
        return ()
    if isinstance(state, Mapping):
        return _attributes(state)
    is_of_btrees = any(base.__module__.startswith("BTrees.") for base in kind.__mro__)
    if is_of_btrees and isinstance(state, tuple):
        return ((repr(key), value) for key, value in entries(kind, state))
    return [("state", state)]


def _attributes(state: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Yield the attributes of *state*; of one that is a dictionary, each entry for itself."""
    for name, value in state.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}[{key!r}]", entry) for key, entry in value.items())
        else:
            yield str(name), value


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= TEXT_LENGTH:
        return text
    return f"{text[: TEXT_LENGTH - 3]}..."


def entries(kind: type, state: tuple[Any, ...] | None) -> Iterable[tuple[Any, Any]]:
    """Return the entries in the *state* of a tree or bucket of class *kind*.

    A larger tree has its entries in separate buckets. The members of a set come with True.
    """
    is_tree = hasattr(kind, "_bucket_type")
    if state is None or (is_tree and len(state) > 1):
        return ()
    items = state[0][0][0] if is_tree else state[0]
    if hasattr(kind, "values"):
        return zip(items[::2], items[1::2], strict=True)
    return ((key, True) for key in items)
