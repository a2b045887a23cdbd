"""The answer of a resource, and the envelope around it (reference 5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from export.errors import RequestException
from scheduler.clock import nowutc


@dataclass(frozen=True)
class Rest:
    """Results that are made as they are sent; `info`, to be called then, tells what is beside."""

    results: Iterator[Any]
    info: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class ResultPage:
    """A list, or a dictionary; `complete` is false when the server's limit cut something off."""

    results: list[Any] | dict[str, Any]
    complete: bool = True
    additional_info: dict[str, Any] = field(default_factory=dict)
    following: Mapping[str, Any] | None = None
    """The parameters that the address of the next page has instead; None for the last page."""

    vanished: list[dict[str, Any]] | None = None
    """The results of before that are none any more; None where they are not asked for."""

    rest: Rest | None = None
    """The further results, where they are too many to be held; None where there are no more."""


@dataclass(frozen=True)
class File:
    """A file as it is; nothing is put around it."""

    content: IO[bytes]
    size: int
    name: str
    content_type: str
    modified: datetime


@dataclass(frozen=True)
class Bare:
    """An answer without an envelope."""

    data: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Pending(Bare):
    """An answer about a task that may be another one when that has ended."""

    awaited: int | None = None
    """The number of the task; None where that has ended."""

    again: Callable[[], Bare] = field(kw_only=True)
    """Returns the answer as the current connection sees it."""


@dataclass(frozen=True)
class Document:
    """A text as it is, for everybody the same; `policy` says what a browser may do for it."""

    content: bytes
    content_type: str
    policy: str = "default-src 'none'; frame-ancestors 'none'"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """Pieces of a text as they come, until the caller has enough of them."""

    pieces: Iterator[bytes]
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = ResultPage | File | Bare | Document | Stream


def envelope(answer: ResultPage, url: str) -> dict[str, Any]:
    """Return the `HTTPAPIResult` that carries *answer*."""
    return {
        "count": len(answer.results),
        "additionalInfo": answer.additional_info,
        "_type": "HTTPAPIResult",
        "complete": answer.complete,
        "url": url,
        "ts": int(nowutc().timestamp()),
        "results": answer.results,
    }


def error_body(error: RequestException) -> dict[str, Any]:
    """Return the `HTTPAPIError` that tells *error*."""
    return {
        "message": error.message,
        **error.details,
        "_type": "HTTPAPIError",
        "_fossil": "hTTPAPIError",
    }
