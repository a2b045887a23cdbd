"""The receiver: a small HTTP target for a webhook agent, to see records arrive."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from daemon.config import Web
from daemon.web.server import StartResponse, WebServer
from scheduler.clock import nowutc

log = logging.getLogger(__name__)

KEPT = 10
LONGEST_BODY = 50_000_000
LINE = 160


class Receiver:
    """A server that takes records as JSON on a port of this machine, and keeps the last ones.

    *report* is called with a line about each record. A port that is taken is left for the next.
    """

    def __init__(self, port: int, report: Callable[[str], None]) -> None:
        self._report = report
        self._lock = Lock()
        self._total = 0
        self._last: deque[tuple[str, str, str]] = deque(maxlen=KEPT)
        self._server = WebServer(self._application, Web(port=port, threads=1))
        self.port = self._server.port
        self.url = f"{self._server.url}/records"

    def last(self) -> list[tuple[str, str, str]]:
        """Return the last records, newest first: when, which object, and what."""
        with self._lock:
            return list(reversed(self._last))

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _application(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        try:
            size = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
            records = json.loads(environ["wsgi.input"].read(size))["records"]
            lines = [_summary(record) for record in records]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a request is no batch of records: %s", error)
            start("400 Bad Request", [("Content-Length", "0")])
            return []
        self._keep(lines)
        start("204 No Content", [])
        return []

    def _keep(self, lines: list[tuple[str, str]]) -> None:
        time = f"{nowutc():%H:%M:%S}"
        with self._lock:
            self._total += len(lines)
            self._last.extend((time, *line) for line in lines)
            total = self._total
        for name, what in lines[:KEPT]:
            self._report(f"{time} received {name}, {what}")
        if len(lines) > KEPT:
            self._report(f"{time} received {len(lines) - KEPT} more, {total} since the start")


def _summary(record: dict[str, Any]) -> tuple[str, str]:
    kind = f"{record.get('type', 'object')} {record.get('status')}"
    said = [str(record[name]) for name in ("title", "description") if record.get(name)]
    line = "".join(each if each.isprintable() else " " for each in " - ".join(said))
    return str(record.get("id")), f"{kind}: {line}"[:LINE]
