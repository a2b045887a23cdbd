"""A kept answer: its content, its validators, and what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from persistent.TimeStamp import TimeStamp
from werkzeug.http import http_date
from ZODB.utils import z64

from export.answers.written_answer import WrittenAnswer

OVERHEAD = 1000
FOR_EACH_OBJECT = 150
"""About how many bytes an answer takes beside its content, and for each object it depends on."""


@dataclass(frozen=True)
class AnswerKey:
    """The question: what is asked, by whom, at which address of this site."""

    path: str
    query: str
    user: str | None
    site: str


@dataclass(frozen=True)
class KeptAnswer:
    """A written answer, and the objects that it was made from: their serials by oid."""

    written: WrittenAnswer
    serials: Mapping[bytes, bytes]
    until: datetime | None = None
    """When it is another one without a change of the database; None for never."""

    @cached_property
    def modified(self) -> datetime | None:
        """When the last of its objects was changed; None for none."""
        latest = max(self.serials.values(), default=z64)
        if latest == z64:
            return None
        return datetime.fromtimestamp(TimeStamp(latest).timeTime(), UTC)

    @cached_property
    def last_modified(self) -> str:
        """The same as headers tell it; "" for none."""
        return "" if self.modified is None else http_date(self.modified)

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.written.content) + OVERHEAD + FOR_EACH_OBJECT * len(self.serials)
