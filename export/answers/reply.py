"""From an answer or an error to the response, in the format and the way of its route."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from json import dumps
from typing import Any
from urllib.parse import quote

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

from export.answers.kept_answer import KeptAnswer
from export.answers.next_page import next_page
from export.answers.written_answer import NO_POSITION, POSITION_STAMPS, WrittenAnswer
from export.errors import InvalidFields, NoSuchRange, RequestException
from export.formats import FORMATS, PLAIN, json
from export.http.etag import validator
from export.http.request import ExportRequest
from export.http.result import Bare, Document, File, Rest, ResultPage, Stream, envelope
from export.resource import Resource, classic_refusal
from scheduler.clock import nowutc

SHOWN = {"application/pdf", "image/gif", "image/jpeg", "image/png", "text/plain"}
"""Files that a browser may show itself: nothing in them acts in this server's name."""

UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f?/\\\\:"\u202a-\u202e\u2066-\u2069]')
"""Characters that leave a folder or a header, or disguise a file name."""

SAFE = {"X-Content-Type-Options": "nosniff"}
SEALED = {**SAFE, "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
"""Headers by which a browser runs no script that somebody wrote into a title."""


PROBLEM = "application/problem+json"

SETTLED = timedelta(seconds=2)
"""The age of a change after which no other has its date, in whole seconds."""

TOMBSTONE = ("_type", "id")
"""The fields of a tombstone."""

POSITION = "Position"
"""The header that tells of which state of the database an answer is."""

READING = {"GET", "HEAD"}

UNKEPT = {"Cache-Control": "no-store"}
"""Header by which no cache keeps an answer that is about the caller alone."""


class Reply:
    """The response to one request; errors are told in its format where that can hold them."""

    def __init__(
        self, request: ExportRequest, resource: Resource | None = None, kind: str = "json"
    ) -> None:
        self._request = request
        self._resource = resource
        self._kind = kind

    def document(self, answer: Document) -> Response:
        """Return *answer* as it is; a cache asks each time whether it is still the same."""
        headers = {
            **{**SAFE, "Content-Security-Policy": answer.policy, "Cache-Control": "no-cache"},
            **answer.headers,
        }
        kind = answer.content_type
        response = Response(answer.content, 200, headers=headers, content_type=kind)
        response.set_etag(validator(answer.content, 0))
        self._request.answer_conditionally(response)
        return response

    def stream(self, answer: Stream) -> Response:
        """Return *answer*, which no cache may keep, and no proxy may hold back."""
        headers = {**SEALED, **UNKEPT, "X-Accel-Buffering": "no", **answer.headers}
        kind = answer.content_type
        return Response(
            answer.pieces, 200, headers=headers, content_type=kind, direct_passthrough=True
        )

    def bare(self, answer: Bare) -> Response:
        """Return *answer*, which no cache may keep. Raises RequestException."""
        writer = FORMATS[self._kind]
        text = writer.write(answer.data, self._request, pretty=False)
        headers = {**SEALED, **UNKEPT, **answer.headers}
        return Response(text, answer.status, headers=headers, content_type=writer.CONTENT_TYPE)

    def noted(self, answer: ResultPage, base_url: str) -> Response:
        """Return *answer*, which tells of something that was done. Raises RequestException."""
        written = self.written(answer, base_url)
        return Response(written.content, 200, headers=SEALED, content_type=written.content_type)

    def written(
        self, answer: ResultPage, base_url: str, position: str | None = None
    ) -> WrittenAnswer:
        """Return *answer* in its format, with its envelope. Raises RequestException.

        An answer that tells what vanished tells its *position*, and its next page, too.
        """
        writer = FORMATS[self._kind]
        body = self._envelope(answer, base_url)
        if answer.vanished is not None:
            body["additionalInfo"] = self._since(answer, base_url, position)
            if self._kind not in PLAIN:
                body["vanished"] = answer.vanished
        if self._kind in POSITION_STAMPS and self._request.method in READING:
            body["position"] = NO_POSITION
        text = writer.write(body, self._request, pretty=self._is_pretty)
        return WrittenAnswer(text, self._kind, body["ts"], answer.following)

    def pieces(self, answer: ResultPage, base_url: str, position: str) -> Iterator[bytes]:
        """Return the text of *answer* piece by piece, at *position*. Raises RequestException.

        Behind the results stands what is not known before all of them are there.
        """
        body = self._envelope(answer, base_url)
        rest = answer.rest or Rest(iter(()), dict)
        del body["additionalInfo"]
        count = body.pop("count")

        def results() -> Iterator[Any]:
            nonlocal count
            yield from answer.results
            for each in rest.results:
                count += 1
                yield each

        def ending() -> dict[str, Any]:
            return {"count": count, "additionalInfo": rest.info()}

        body["results"] = results()
        if self._kind in POSITION_STAMPS:
            body["position"] = position
        pieces: Iterator[bytes] = FORMATS[self._kind].pieces(
            body, ending, self._request, pretty=self._is_pretty
        )
        return pieces

    @property
    def content_type(self) -> str:
        """The type of what is written."""
        kind: str = FORMATS[self._kind].CONTENT_TYPE
        return kind

    @property
    def _is_pretty(self) -> bool:
        return self._request.take_flag("p", "pretty")

    def _envelope(self, answer: ResultPage, base_url: str) -> dict[str, Any]:
        query = f"?{self._request.shown_query}" if self._request.shown_query else ""
        return envelope(answer, f"{base_url}{self._request.path}{query}")

    def _since(self, answer: ResultPage, base_url: str, position: str | None) -> dict[str, Any]:
        told = {**answer.additional_info, "position": position, "vanished": answer.vanished}
        if self._kind in PLAIN:
            named = (
                {key: one[key] for key in TOMBSTONE if key in one} for one in answer.vanished or ()
            )
            told["vanished"] = list(named)
        if answer.following is not None:
            told["next"] = next_page(self._request, base_url, answer.following, position)
        return told

    def page(self, kept: KeptAnswer, is_public: bool, more: Mapping[str, str]) -> Response:
        """Return the answer *kept*, or that the caller has it.

        It has *more* headers, and proxies may keep it if it *is_public*. A change in the second
        of the one before leaves the date that headers can tell: as long as there may be one, they
        tell none.
        """
        keeper = "public" if is_public else "private"
        headers = {
            **SEALED,
            "ETag": kept.written.etag,
            "Cache-Control": f"{keeper}, no-cache",
            "Vary": "Authorization",
            **more,
        }
        now = nowutc()
        if kept.modified is not None and now - kept.modified > SETTLED:
            headers["Last-Modified"] = kept.last_modified
        if self._request.has(kept.written.etag):
            response = Response(status=304, headers=headers)
            del response.headers["Content-Type"]  # there is no content
            return response
        response = Response(b"", 200, headers=headers, content_type=kept.written.content_type)
        if self._request.is_conditional:
            self._request.answer_conditionally(response)
        if response.status_code == HTTPStatus.OK:
            response.data = kept.written.at(int(now.timestamp()), more.get(POSITION, ""))
        return response

    def refuse(self, error: RequestException) -> Response:
        """Return what tells *error*, as RFC 9457 has it for callers who ask for that."""
        if self._request.accepts(PROBLEM):
            headers = {**SEALED, **error.headers, "Vary": "Accept"}
            return Response(dumps(_problem(error)), error.status, headers, content_type=PROBLEM)
        refusal = self._resource.refusal if self._resource is not None else classic_refusal
        status, body = refusal(error)
        is_plain = self._kind in PLAIN
        writer: Any = FORMATS[self._kind] if is_plain else json
        try:
            pretty = is_plain and self._is_pretty
            content = writer.write(body, self._request, pretty=pretty)
        except RequestException:  # the callback's name, or the body, is what is wrong
            writer = json
            content = json.write(body, self._request, pretty=False)
        headers = {**SEALED, **error.headers}
        return Response(content, status, headers, content_type=writer.CONTENT_TYPE)


def _problem(error: RequestException) -> dict[str, Any]:
    title = HTTPStatus(error.status).phrase
    told = {"type": "about:blank", "title": title, "status": error.status, "detail": error.message}
    fields = error.fields if isinstance(error, InvalidFields) else {}
    more = {"errors": [{"name": name, "detail": text} for name, text in fields.items()]}
    return {**error.details, **told, **(more if fields else {})}


def options(methods: list[str]) -> Response:
    """Return that an address takes *methods*."""
    response = Response(status=204, headers={"Allow": ", ".join(methods)})
    del response.headers["Content-Type"]  # there is no content
    return response


def file_response(answer: File, request: ExportRequest) -> Response:
    """Return the file, or the part of it that is asked for, if it has changed.

    Raises NoSuchRange.
    """
    response = Response(
        wrap_file(request.environ, answer.content),
        content_type=answer.content_type,
        direct_passthrough=True,
        headers=SAFE,
    )
    response.content_length = answer.size
    response.last_modified = answer.modified
    response.cache_control.private = True
    response.cache_control.no_cache = True
    shown = "inline" if answer.content_type in SHOWN else "attachment"
    response.headers.set("Content-Disposition", shown, **_names(answer.name))
    try:
        return request.answer_conditionally(response, answer.size)
    except RequestedRangeNotSatisfiable:
        response.close()
        length = {"Content-Range": f"bytes */{answer.size}"}
        raise NoSuchRange(f"The file has {answer.size} bytes", length) from None


def _names(name: str) -> dict[str, str]:
    """Return what a file is saved as, once for old clients that know ASCII only."""
    known = name.encode("utf-8", "replace").decode()  # half a character has no bytes
    safe = UNSAFE.sub("_", known) or "file"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    if plain == safe:
        return {"filename": safe}
    return {"filename": plain, "filename*": f"UTF-8''{quote(safe, safe='')}"}
