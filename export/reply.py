"""From an answer or an error to the response, in the format and the way of its route."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from export.errors import NoSuchRange, RequestException
from export.formats import FORMATS, PLAIN, json
from export.http.etag import validator
from export.http.request import ExportRequest
from export.http.result import Bare, Document, File, ResultPage, envelope
from export.resource import Resource, classic_refusal

SHOWN = {"application/pdf", "image/gif", "image/jpeg", "image/png", "text/plain"}
"""Files that a browser may show itself: nothing in them acts in this server's name."""

UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f?/\\\\:"\u202a-\u202e\u2066-\u2069]')
"""Characters that leave a folder or a header, or disguise a file name."""

SAFE = {"X-Content-Type-Options": "nosniff"}
SEALED = {**SAFE, "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
"""Headers by which a browser runs no script that somebody wrote into a title."""


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
        headers = {**SAFE, "Content-Security-Policy": answer.policy, "Cache-Control": "no-cache"}
        kind = answer.content_type
        response = Response(answer.content, 200, headers=headers, content_type=kind)
        response.set_etag(validator(answer.content, 0))
        self._request.answer_conditionally(response)
        return response

    def content(self, answer: ResultPage | Bare, base_url: str) -> Response:
        """Return *answer*, in its envelope if it has one. Raises RequestException."""
        headers = {**UNKEPT, **answer.headers} if isinstance(answer, Bare) else {}
        writer = FORMATS[self._kind]
        body = self._body(answer, base_url)
        pretty = isinstance(answer, ResultPage) and self._request.take_flag("p", "pretty")
        text = writer.write(body, self._request, pretty=pretty)
        kind = writer.CONTENT_TYPE
        response = Response(text, 200, headers={**SEALED, **headers}, content_type=kind)
        if isinstance(answer, ResultPage) and self._request.method != "POST":
            response.set_etag(validator(text, body["ts"]), weak=True)
            response.headers["Cache-Control"] = "private, no-cache"
            self._request.answer_conditionally(response)
        return response

    def refuse(self, error: RequestException) -> Response:
        """Return what tells *error*."""
        refusal = self._resource.refusal if self._resource is not None else classic_refusal
        status, body = refusal(error)
        is_plain = self._kind in PLAIN
        writer: Any = FORMATS[self._kind] if is_plain else json
        try:
            pretty = is_plain and self._request.take_flag("p", "pretty")
            content = writer.write(body, self._request, pretty=pretty)
        except RequestException:  # the callback's name, or the body, is what is wrong
            writer = json
            content = json.write(body, self._request, pretty=False)
        headers = {**SEALED, **error.headers}
        return Response(content, status, headers, content_type=writer.CONTENT_TYPE)

    def _body(self, answer: ResultPage | Bare, base_url: str) -> Any:
        if isinstance(answer, Bare):
            return answer.data
        query = f"?{self._request.shown_query}" if self._request.shown_query else ""
        return envelope(answer, f"{base_url}{self._request.path}{query}")


def options(methods: list[str]) -> Response:
    """Return that an address takes *methods*."""
    response = Response(status=204, headers={"Allow": ", ".join(methods)})
    del response.headers["Content-Type"]  # there is no content
    return response


def file_response(answer: File, http: Request) -> Response:
    """Return the file, or the part of it that is asked for, if it has changed.

    Raises NoSuchRange.
    """
    response = Response(
        wrap_file(http.environ, answer.content),
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
        return response.make_conditional(http, _takes_range(http), answer.size)
    except RequestedRangeNotSatisfiable:
        response.close()
        length = {"Content-Range": f"bytes */{answer.size}"}
        raise NoSuchRange(f"The file has {answer.size} bytes", length) from None


def _takes_range(http: Request) -> bool:
    """Say whether the part that is asked for, if one is, is told in a way that is understood."""
    wanted = http.range
    return "Range" not in http.headers or (wanted is not None and wanted.units == "bytes")


def _names(name: str) -> dict[str, str]:
    """Return what a file is saved as, once for old clients that know ASCII only."""
    known = name.encode("utf-8", "replace").decode()  # half a character has no bytes
    safe = UNSAFE.sub("_", known) or "file"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    if plain == safe:
        return {"filename": safe}
    return {"filename": plain, "filename*": f"UTF-8''{quote(safe, safe='')}"}
