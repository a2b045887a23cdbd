"""The envelope of every answer (reference 5.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scheduler.clock import nowutc


@dataclass(frozen=True)
class Results:
    """What a resource answers; `complete` is false when the server's limit cut something off."""

    results: list[Any]
    complete: bool = True
    additional_info: dict[str, Any] = field(default_factory=dict)


def envelope(answer: Results, url: str) -> dict[str, Any]:
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


def error_body(message: str) -> dict[str, Any]:
    """Return the `HTTPAPIError` that says *message*."""
    return {"message": message, "_type": "HTTPAPIError", "_fossil": "hTTPAPIError"}
