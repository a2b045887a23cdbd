r"""Legible text: characters that act on a terminal, a page or a log are shown, not sent.

These are control characters (C0, C1, DEL), halves of surrogate pairs, controls of the writing
direction, separators of lines, and characters that cannot be seen. Each is written as its JSON
escape, `\u001b`, so that a JSON document means the same as before.
"""

from __future__ import annotations

import codecs
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import indent
from typing import Any, TextIO, cast

from scheduler.values.masking import hidden

_ODD = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff"
)
_IN_TEXT = re.compile(f"[{_ODD}]")
_IN_LINE = re.compile(f"[{_ODD}\n]")
_SHORT = {"\n": "\\n", "\r": "\\r"}
HANDLER = "relay-legible"


def legible(text: str) -> str:
    """Return *text* with what cannot be shown escaped; its lines and tabs stay."""
    return _IN_TEXT.sub(_found, text)


def legible_line(text: str) -> str:
    """Return *text* on one line, with what cannot be shown escaped, line breaks too."""
    return _IN_LINE.sub(_found, text)


class Styled(str):
    """A plain text that a terminal shows in colours: then *styled* is written, which is legible."""

    styled: str

    def __new__(cls, plain: str, styled: str) -> Styled:
        """Return the text *plain*, which knows that it may be *styled*."""
        text = super().__new__(cls, plain)
        text.styled = styled
        return text

    def __str__(self) -> str:
        """Return the text itself, so that `print` hands it on as it is."""
        return self


class LegibleStream:
    """Writes legible text to *beneath*, whatever characters that can encode."""

    def __init__(self, beneath: TextIO) -> None:
        self.beneath = beneath

    def write(self, text: str) -> int:
        """Write *text*, escaped where need be; return its length."""
        encoding = getattr(self.beneath, "encoding", None) or "utf-8"
        is_styled = isinstance(text, Styled) and has_colours(self.beneath)
        shown = text.styled if is_styled else legible(text)  # type: ignore[attr-defined]
        self.beneath.write(shown.encode(encoding, HANDLER).decode(encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write the *lines*."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.beneath, name)


@contextmanager
def legible_output() -> Iterator[None]:
    """Make stdout and stderr legible inside the block; also a decorator."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, LegibleStream(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def has_colours(stream: TextIO) -> bool:
    """Say whether *stream* is a terminal that shows colours, and nobody has switched them off."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not is_plain and stream.isatty()


def terminal(stream: TextIO) -> TextIO:
    """Return what *stream* writes to, for whoever sends it escape sequences of its own."""
    return stream.beneath if isinstance(stream, LegibleStream) else stream


class LineFormatter(logging.Formatter):
    """Keeps an event on one line, so that no text of a request looks like another event."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Return the line, legible."""
        return legible_line(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the event without passwords."""
        return hidden(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (logging's name)
        """Return the traceback, indented and legible."""
        return indent(legible(super().formatException(ei)), "  ")


def _found(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or _escaped(found[0])


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _encode(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escaped(error.object[error.start : error.end]), error.end


codecs.register_error(HANDLER, _encode)
