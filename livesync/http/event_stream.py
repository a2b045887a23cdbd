"""The change feed as server-sent events: `/export/changes.sse`, for readers that keep listening."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ZODB.Connection import Connection

from export.auth.caller import classic
from export.errors import RequestException, ServiceUnavailable
from export.http.parameter import Choice
from export.http.question import Question
from export.http.result import Stream
from export.resource import READ, Resource
from livesync.feed.pulled_changes import ChangeReader, PulledChange
from livesync.http.changes import PARAMETERS, SINCE, Asked, source_of
from livesync.http.stream_places import PATH, places_of
from livesync.records.cloud_event import cloud_event
from livesync.records.document import json_bytes
from scheduler.store import current
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import tokens_of
from scheduler.store.read_view import read_view

CONTENT_TYPE = "text/event-stream"

HEARTBEAT = 15.0
"""Seconds without a change, after which a reader is sent a comment, to find those that are gone."""

CLOUD_EVENTS = "cloudevents"
FORM = Choice("form", "With `cloudevents` each change is a CloudEvent.", words=(CLOUD_EVENTS,))


def answer(question: Question) -> Stream:
    """Go on telling changes as server-sent events; `Last-Event-ID` counts before `since`.

    Without either it begins now.
    """
    return Stream(EventStream(question), f"{CONTENT_TYPE}; charset=utf-8")


class EventStream(Iterator[bytes]):
    """The server-sent events of one reader, who is asked for credentials with each look."""

    def __init__(self, question: Question) -> None:
        connection = current()
        self._request, self._settings = question.request, question.settings
        self._asked = Asked(question)
        self._is_cloud_event = FORM.of(question.request) == CLOUD_EVENTS
        self._source = source_of(question)
        self._database = connection.db()
        known = question.request.environ.get("HTTP_LAST_EVENT_ID")
        begins_now = not (known or SINCE.of(question.request))
        newest = snapshot_of(connection)
        self._tid = newest if begins_now else self._asked.start(connection, known)
        self._has_begun, self._is_behind, self._is_closed = False, True, False
        self._signal: CommitSignal | None = None
        self._places = places_of(self._database)
        if not self._places.enter(self):
            error = ServiceUnavailable("As many readers listen as may: come again, or ask for JSON")
            error.headers["Retry-After"] = "10"
            raise error
        self._signal = CommitSignal(self._database)

    def __next__(self) -> bytes:
        if (
            not self._has_begun
        ):  # the server sends nothing, not even headers, before the first piece
            self._has_begun = True
            return b": listening\n\n"
        while not self._is_closed:
            if self._is_behind or self._wait():
                piece = self._look()
                if piece is None:
                    break
                if piece:
                    return piece
            elif not self._is_closed:
                return b": nothing new\n\n"
        raise StopIteration

    def close(self) -> None:
        """Tell no more; called by the server when the reader is gone."""
        self.stop()
        signal, self._signal = self._signal, None
        if signal is not None:
            signal.close()
        self._places.leave(self)

    def stop(self) -> None:
        """End the waiting, from another thread."""
        self._is_closed = True
        if self._signal is not None:
            self._signal.set()

    def _wait(self) -> bool:
        """Wait for a commit; return whether there was one."""
        signal = self._signal
        return signal is not None and signal.wait(HEARTBEAT) and not self._is_closed

    def _look(self) -> bytes | None:
        """Return what is new, as events; None at an end, of which a new request is told why."""
        with read_view(self._database) as connection:
            try:
                caller = classic(self._request, self._settings, READ)
                if self._tid < ChangeReader(connection, None).horizon:
                    return None
                page = self._asked.page(connection, caller.user, self._tid)
            except RequestException:
                return None
            piece = b"".join(self._events(page.changes, connection, caller.user))
            self._tid, self._is_behind = page.tid, not page.is_last
        return piece

    def _events(
        self, changes: list[PulledChange], connection: Connection, user: str | None
    ) -> Iterator[bytes]:
        """Yield *changes* as events; the id of each is a position up to which all is told."""
        tokens, known = tokens_of(connection), self._tid
        for change, following in pairwise([*changes, None]):
            if change is None:
                continue
            told = self._asked.told(connection, user, change)
            if self._is_cloud_event:
                told = cloud_event(told, self._source)
            if following is None or following.tid != change.tid:
                known = change.tid
            yield b"id: %s\nevent: %s\ndata: %s\n\n" % (
                tokens.of(known).encode(),
                change.status.encode(),
                json_bytes(told),
            )


RESOURCES = [
    Resource(
        "change_stream", (PATH,), answer, parameters=(*PARAMETERS, FORM), content_type=CONTENT_TYPE
    )
]
