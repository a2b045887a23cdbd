"""An answer as it is written in its format, and its validator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from export.formats import FORMATS
from export.http.etag import validator

STAMPS = {
    "json": b'"ts": %d',
    "jsonp": b'"ts": %d',
    "xml": b"<ts>%d</ts>",
    "html": b'data-ts="%d"',
}
"""The text by which a format tells the time of the answer, before anything else like it."""


POSITION_STAMPS = ("atom", "ics")
"""The formats that tell the position of the answer in their text, where they are kept as files."""

NO_POSITION = f"{'_position-of-this-answer_':-^28}"
"""The text in the place of the position, until the answer is sent."""


class WrittenAnswer:
    """The content of an answer in the format *kind*, written at the time *ts*.

    *following* is what the address of the next page has instead, None for no such page.
    """

    def __init__(
        self, content: bytes, kind: str, ts: int, following: Mapping[str, Any] | None = None
    ) -> None:
        self.content = content
        self.following = following
        self._kind = kind
        self._ts = ts

    @property
    def content_type(self) -> str:
        """The type of the content."""
        kind: str = FORMATS[self._kind].CONTENT_TYPE
        return kind

    @cached_property
    def etag(self) -> str:
        """The validator as headers have it: weak, where the answer tells its time or position."""
        is_stamped = self._kind in (*STAMPS, *POSITION_STAMPS)
        digest = validator(self.content, self._ts if self._kind in STAMPS else 0)
        return f'W/"{digest}"' if is_stamped else f'"{digest}"'

    def at(self, ts: int, position: str) -> bytes:
        """Return the content as it is written at the time *ts*, for *position*."""
        if self._kind in POSITION_STAMPS:
            return self.content.replace(NO_POSITION.encode(), position.encode(), 1)
        stamp = STAMPS.get(self._kind)
        if stamp is None or ts == self._ts:
            return self.content
        return self.content.replace(stamp % self._ts, stamp % ts, 1)
