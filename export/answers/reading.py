"""Reading: requests that change nothing, answered from a snapshot, or by what is kept of one."""

from __future__ import annotations

from collections.abc import Mapping

from werkzeug.wrappers import Response
from ZODB import DB

from export.answers.answer_cache import AnswerCache
from export.answers.entrance import Entrance
from export.answers.kept_answer import AnswerKey, KeptAnswer
from export.answers.reply import Reply
from export.auth.caller import Caller, classic
from export.http.request import ExportRequest
from export.http.result import Answer, ResultPage
from export.resource import Resource, answered
from export.settings import ExportSettings
from scheduler.clock import noting_use
from scheduler.store import transact
from scheduler.store.read_set import SCHEMA, mark, read_since
from scheduler.store.read_view import read_view

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
            kept = self._cache.find(self._key(request, caller))
            if kept is not None:
                return self._page(reply, kept, caller), caller
        state = self._cache.state()
        with read_view(self._database) as connection:
            caller = self._entrance.caller(request, resource)
            key = self._key(request, caller)
            kept = self._cache.find(key, state)
            if kept is None:
                question = resource.question(request, arguments, caller.user, self._settings)
                mark(connection, self._marker)
                with noting_use() as clock:
                    answer = answered(resource, question, caller)
                if not isinstance(answer, ResultPage):
                    return answer, caller
                written = reply.written(answer, self._settings.base_url)
                serials = read_since(connection, self._marker)
                kept = KeptAnswer(written, serials or {}, clock.until)
                if serials is not None:
                    self._cache.keep(key, kept, state)
        return self._page(reply, kept, caller), caller

    def _key(self, request: ExportRequest, caller: Caller) -> AnswerKey:
        site = "" if self._settings.base_url else request.asked_site
        return AnswerKey(request.path, request.shown_query, caller.user, site)

    def _page(self, reply: Reply, kept: KeptAnswer, caller: Caller) -> Response:
        is_public = caller.user is None and caller.credential is None
        return reply.page(kept.written, kept.modified, is_public)
