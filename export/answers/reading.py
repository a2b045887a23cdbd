"""Reading: requests that change nothing, answered from a snapshot, or by what is kept of one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from werkzeug.wrappers import Response
from ZODB import DB

from export.answers.answer_cache import AnswerCache
from export.answers.entrance import Entrance
from export.answers.kept_answer import AnswerKey, KeptAnswer
from export.answers.long_answer import LongAnswer, LongAnswerPlaces
from export.answers.next_page import next_page
from export.answers.reply import POSITION, Reply
from export.auth.caller import Caller, classic
from export.errors import MalformedRequest
from export.http.past import opened as opened_past
from export.http.request import ExportRequest
from export.http.result import Answer, ResultPage, Stream
from export.http.selection import AT, SINCE
from export.resource import Resource, answered
from export.settings import ExportSettings
from scheduler.clock import noting_use
from scheduler.store import current, transact, using
from scheduler.store.history import keeps_history
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import tokens_of
from scheduler.store.read_set import SCHEMA, mark, read_since
from scheduler.store.read_view import side_view

MEGABYTE = 1024 * 1024


class Reading:
    """Answers what is read; `asked` of a request is its resource with the parts of its address."""

    def __init__(self, database: DB, settings: ExportSettings, entrance: Entrance) -> None:
        self._database = database
        self._entrance = entrance
        self._settings = settings
        self._cache = AnswerCache(database, settings.answer_cache * MEGABYTE)
        marker = transact(database, lambda connection: SCHEMA.get(connection)._p_oid)
        self._marker: bytes = marker
        self._tokens = transact(database, tokens_of)
        self._places = LongAnswerPlaces()

    def close(self) -> None:
        """Forget what is kept."""
        self._cache.close()

    def answer(
        self,
        request: ExportRequest,
        resource: Resource,
        arguments: Mapping[str, str],
        reply: Reply,
    ) -> tuple[Answer | Response, Caller]:
        """Return the response, or the answer where it is no page; and who asks.

        Raises RequestException, StorageError.
        """
        if resource.door is classic and request.shows_nobody:  # needs no look into the database
            caller = self._entrance.caller(request, resource)
            found = self._cache.find(self._key(request, caller))
            if found is not None:
                return self._page(request, reply, caller, *found), caller
        state = self._cache.state()
        with ExitStack() as opened, using(opened.enter_context(side_view(self._database))):
            connection = current()
            caller = self._entrance.caller(request, resource)
            self._tokens = tokens_of(connection)
            _refuse_to_look_back(request, resource)
            if _looks_back(request, resource):
                return self._look_back(request, resource, arguments, reply, caller, opened), caller
            key = self._key(request, caller)
            kept, tid = self._cache.find(key, state) or (None, snapshot_of(connection))
            if kept is None:
                question = resource.question(request, arguments, caller.user, self._settings)
                mark(connection, self._marker)
                with noting_use() as clock:
                    answer = answered(resource, question, caller)
                if not isinstance(answer, ResultPage):
                    return answer, caller
                if answer.rest is not None:
                    return self._long(request, reply, answer, tid, opened), caller
                written = reply.written(answer, self._settings.base_url)
                serials = read_since(connection, self._marker)
                kept = KeptAnswer(written, serials or {}, clock.until)
                if serials is not None:
                    self._cache.keep(key, kept, state)
        return self._page(request, reply, caller, kept, tid), caller

    def _look_back(
        self,
        request: ExportRequest,
        resource: Resource,
        arguments: Mapping[str, str],
        reply: Reply,
        caller: Caller,
        opened: ExitStack,
    ) -> Answer | Response:
        """Return the answer from earlier states, which is not kept."""
        zone, compares = self._settings.zone, SINCE in resource.parameters
        past = opened.enter_context(
            opened_past(request, current(), zone, self._marker, compares=compares)
        )
        with using(past.shown):
            question = resource.question(
                *(request, arguments, caller.user, self._settings), past=past
            )
            answer = answered(resource, question, caller)
            if not isinstance(answer, ResultPage):
                return answer
            tid = snapshot_of(past.shown)
            if answer.rest is not None:
                return self._long(request, reply, answer, tid, opened)
            written = reply.written(answer, self._settings.base_url, self._tokens.of(tid))
        return self._page(request, reply, caller, KeptAnswer(written, {}), tid)

    def _long(
        self,
        request: ExportRequest,
        reply: Reply,
        answer: ResultPage,
        tid: int,
        opened: ExitStack,
    ) -> Stream:
        """Return *answer*, which is written as it is sent; what is *opened* stays so until then."""
        self._places.take(opened)
        headers = self._headers(request, answer.following, tid)
        parts = reply.pieces(answer, self._settings.base_url, headers[POSITION])
        pieces = LongAnswer(parts, current(), opened.pop_all(), request.path)
        return Stream(pieces, reply.content_type, headers)

    def _key(self, request: ExportRequest, caller: Caller) -> AnswerKey:
        site = "" if self._settings.base_url else request.asked_site
        return AnswerKey(request.path, request.shown_query, caller.user, site)

    def _page(
        self, request: ExportRequest, reply: Reply, caller: Caller, kept: KeptAnswer, tid: int
    ) -> Response:
        """Return the answer *kept*, which is right up to transaction *tid*."""
        is_public = caller.user is None and caller.credential is None
        headers = self._headers(request, kept.written.following, tid)
        return reply.page(kept, is_public, headers)

    def _headers(
        self, request: ExportRequest, following: Mapping[str, Any] | None, tid: int
    ) -> dict[str, str]:
        """Return the headers that tell the position of an answer, and where its next page is."""
        position = self._tokens.of(tid)
        headers = {POSITION: position}
        if following is not None:
            is_pinned = SINCE.name not in following and keeps_history(self._database)
            at = position if is_pinned else None
            address = next_page(request, self._settings.base_url, following, at)
            headers["Link"] = f'<{address}>; rel="next"'
        return headers


def _looks_back(request: ExportRequest, resource: Resource) -> bool:
    return any(each in resource.parameters and each.of(request) for each in (AT, SINCE))


def _refuse_to_look_back(request: ExportRequest, resource: Resource) -> None:
    """Raise MalformedRequest for a position that *resource* would pass over."""
    known = {each.name for each in resource.parameters}
    for each in (AT, SINCE):
        if each.name not in known and each.of(request):
            raise MalformedRequest(
                f"'{each.name}' is not answered at this address; /export/docs shows where it is"
            )
