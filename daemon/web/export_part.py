"""The export's part of the front end: its application, or the answer that it is not installed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ZODB import DB

from export.settings import ExportSettings
from scheduler.values.extras import missing_extra

log = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class ExportPart(Protocol):
    """A WSGI application that is closed at the end."""

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse, /
    ) -> Iterable[bytes]:
        """Answer one request."""

    def close(self) -> None:
        """Write what is still to be written."""


class NoExport:
    """Answers 501 to every request, with the *reason*."""

    def __init__(self, reason: str) -> None:
        self._text = f"the export is not served here: {reason}\n".encode()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        kind = ("Content-Type", "text/plain; charset=utf-8")
        start_response("501 Not Implemented", [kind, ("Content-Length", str(len(self._text)))])
        return () if environ["REQUEST_METHOD"] == "HEAD" else (self._text,)

    def close(self) -> None:
        """Do nothing."""


def export_part(database: DB, settings: ExportSettings) -> ExportPart:
    """Return the export of *database*, or NoExport where its extra is not installed.

    Its requests may wait for a delivery.
    """
    try:
        from export.app import make_app
        from livesync.http.wait_middleware import WaitMiddleware
    except ImportError as error:
        reason = missing_extra(error)
        if not reason:
            raise
        log.info("the export is not served: %s", reason)
        return NoExport(reason)
    return WaitMiddleware(make_app(database, settings), database)
