"""Values as short texts for people: a `repr` that fails, is long or holds a secret does no harm."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from persistent import Persistent
from ZODB.utils import u64

from scheduler.values.legible import legible_line
from scheduler.values.masking import MASK, hidden

LENGTH = 120
ENCRYPTED = "encrypted"
_WORDS = "passw|secret|token|api_?key|credential|private_?key|signature"
_SECRET = re.compile(rf"(?i){_WORDS}")
_NAMED = re.compile(rf"(?i)(\b\w*(?:{_WORDS})\w*=)('[^']*'|\"[^\"]*\"|[^\s,;)}}\]]+)")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


class _Mask:
    """The mask in the place of a secret."""

    def __repr__(self) -> str:
        return MASK


MASKED = _Mask()


def is_secret(name: object) -> bool:
    """Say whether *name* is that of an argument or a key whose value nobody is shown."""
    return isinstance(name, str) and _SECRET.search(name) is not None


def shown_call(args: Sequence[Any], kwargs: Mapping[str, Any], length: int = LENGTH) -> str:
    """Return the arguments of a call as they would be written, at most *length* characters.

    Persistent objects are not loaded: their class and number stand for them.
    """
    parts = [*map(shown, args), *(f"{name}={_of(name, each)}" for name, each in kwargs.items())]
    return shortened(", ".join(parts), length)


def shown(value: Any) -> str:
    """Return *value* as a short text on one line; its class where it has no text."""
    try:
        return legible_line(_masked(_SHORT.repr(value)))
    except Exception:  # noqa: BLE001 (the value may be any object)
        return f"<{type(value).__name__} that cannot be shown>"


def shortened(text: str, length: int) -> str:
    """Return *text*, at most *length* characters of it."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _of(name: object, value: Any) -> str:
    return MASK if is_secret(name) else shown(value)


def _masked(text: str) -> str:
    return _NAMED.sub(rf"\1{MASK}", hidden(text))


class _Short(reprlib.Repr):
    """Shortens long values; secrets are masked before, as a part of one is not recognized."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 60

    def repr1(self, x: Any, level: int) -> str:
        """Return *x* as a text, *level* levels deep."""
        if isinstance(x, Persistent):
            return _shown_object(x)
        return super().repr1(x, level)

    def repr_str(self, x: str, level: int) -> str:
        """Return the text *x*."""
        return super().repr_str(_masked(x), level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        """Return the bytes *x*."""
        return shortened(repr(x[: self.maxother]), self.maxother)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Return the mapping *x*."""
        masked = {key: MASKED if is_secret(key) else each for key, each in x.items()}
        return super().repr_dict(masked, level)

    def repr_instance(self, x: Any, level: int) -> str:
        """Return *x*, an object of any class."""
        text = repr(x)
        if _ADDRESS.search(text):
            return f"<{type(x).__name__}>"
        return shortened(_masked(text), self.maxother)


def _shown_object(obj: Persistent) -> str:
    number = "" if obj._p_oid is None else f" {u64(obj._p_oid)}"
    return f"<{type(obj).__name__}{number}>"


_SHORT = _Short()
