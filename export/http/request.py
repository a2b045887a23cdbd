"""A request: its path, its parameters, and the ones that every resource knows (reference 5.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from export.errors import (
    BodyTooLarge,
    MalformedBody,
    MalformedRequest,
    UnknownBody,
    UnknownCredentials,
)
from export.http.masking import KEYS, masked

LONGEST = 64 * 1024
"""How many characters path and query may have together."""

LARGEST = 1024 * 1024
"""How many bytes a body may have."""

FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

SHOWING = {*KEYS, "ca", "cookieauth", "access_token"}
"""Parameters that may show who asks."""

FIRST_CONDITIONS = {"HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"}
CONDITIONS = {*FIRST_CONDITIONS, "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"}
"""Headers, as WSGI has them, by which the answer depends on what the caller has."""

SCHEME = re.compile("[A-Za-z][A-Za-z-]{0,19}")
"""A kind of credentials, as registered for HTTP; tokens are longer or have digits."""

WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)


class ExportRequest:
    """One request; parameters are taken one by one, of a repeated one the first.

    They are those of the address, or, where something is posted, of the body: a form, or an
    object in JSON. A parameter without a value is not there. Once `read_as_signed` was called,
    parameters are those that were signed.
    """

    def __init__(self, request: Request) -> None:
        request.max_content_length = LARGEST
        request.max_form_memory_size = LARGEST
        self._request = request
        self.method = request.method
        self.is_secure = request.is_secure
        self.path = request.path
        self.remote_address = request.remote_addr or ""
        self.cookies = request.cookies
        self.is_too_long = len(request.path) + len(request.query_string) > LONGEST
        query = b"" if self.is_too_long else request.query_string
        self.address_query = query.decode("utf-8", "replace")

    @property
    def asked_site(self) -> str:
        """The address of the site that was asked, as its clients call it."""
        host = self._request.host or "localhost"
        return f"{self._request.scheme}://{host}{self.root}"

    @property
    def root(self) -> str:
        """The path below which the export is, as its clients see it; "" for none."""
        return self._request.root_path.rstrip("/")

    @property
    def sent_path(self) -> str:
        """The path as the address has it, percent-encoded."""
        sent = self._request.environ.get("REQUEST_URI", "").partition("?")[0]
        return sent if unquote(sent) == self.path else quote(self.path)

    @property
    def shown_query(self) -> str:
        """The query as answers repeat it, without secrets; nothing of what was posted."""
        if self.method == "POST":
            return ""
        return masked(self.query)

    @property
    def recorded(self) -> str:
        """Path and parameters as the record of a key's use has them, in order, without secrets."""
        if self.method == "POST":
            return self.path
        pairs = sorted((name.lower(), value) for name, value in parse_qsl(self.query))
        kept = masked(urlencode([pair for pair in pairs if pair[0] != "timestamp"]))
        return f"{self.path}?{kept}" if kept else self.path

    def read_as_signed(self, query: str) -> None:
        """Take the parameters from *query*, the text that was signed, from now on."""
        self.query = query
        self._params = _first_of_each(parse_qsl(query))

    @cached_property
    def query(self) -> str:
        """The parameters as one text: the query of the address, or the body as a form."""
        return self.address_query if self._posted is None else urlencode(self._posted)

    @cached_property
    def json(self) -> Any:
        """The body, read as JSON. Raises MalformedBody, BodyTooLarge."""
        try:
            value = json.loads(self._body.decode())
            # Half a character, and what is no number, can be written in JSON, too.
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            return value
        except (ValueError, RecursionError) as error:
            raise MalformedBody(f"The body is not JSON: {error}") from None

    @property
    def idempotency_key(self) -> str:
        """The key by which a repeated request is recognized; "" for none."""
        return self._request.headers.get("Idempotency-Key", "").strip()

    @property
    def preferred_wait(self) -> int:
        """How many seconds the caller prefers to wait for an end (RFC 7240); 0 for none."""
        found = WAIT.search(self._request.headers.get("Prefer", ""))
        return int(found[1]) if found else 0

    @property
    def bearer_token(self) -> str | None:
        """The token that the header `Authorization` shows; None for no such header.

        Raises UnknownCredentials for a header of another kind.
        """
        scheme, *rest = self._request.headers.get("Authorization", "").split(None, 1) or [""]
        if scheme and scheme.lower() != "bearer":
            # A word alone may be the token itself, which no answer repeats.
            raise UnknownCredentials(scheme if rest and SCHEME.fullmatch(scheme) else "")
        return "".join(rest).strip() if scheme else None

    @property
    def access_token(self) -> str | None:
        """The token that the address shows, where that is allowed; None for none."""
        return self._request.args.get("access_token")

    @property
    def signature(self) -> str | None:
        """The signature, whatever the case of its name; None for none."""
        named = (name for name in self._params if name.lower() == "signature")
        return self.take(*named)

    @property
    def has_misspelt_key(self) -> bool:
        """Whether a parameter is an API key but for the case of its name."""
        return any(name not in KEYS and name.lower() in KEYS for name in self._params)

    @property
    def csrf_token(self) -> str:
        """The CSRF token that the request shows for its session; "" for none."""
        return self._request.headers.get("X-CSRF-Token") or self.take("csrftoken") or ""

    def accepts(self, content_type: str) -> bool:
        """Say whether the caller names *content_type* among those that are accepted."""
        return content_type in self._request.accept_mimetypes.values()

    @property
    def environ(self) -> dict[str, Any]:
        """The environment of the request (WSGI)."""
        return self._request.environ

    @cached_property
    def shown_credential(self) -> str | None:
        """The text of the header `Authorization`, or of the token or key that is sent; or None."""
        if self.method != "POST" and self.shows_nobody:
            return None
        return self._request.headers.get("Authorization") or self.access_token or self._key

    @property
    def _key(self) -> str | None:
        """The key that is sent; None for none, and in a body that only its resource can read."""
        with suppress(MalformedBody, BodyTooLarge, UnknownBody):
            return self.take(*sorted(KEYS))
        return None

    @cached_property
    def shows_nobody(self) -> bool:
        """Whether nothing in the request may show who asks."""
        return not (
            "Authorization" in self._request.headers
            or self.signature
            or any(name.lower() in SHOWING for name in self._params)
        )

    @property
    def is_conditional(self) -> bool:
        """Whether the answer depends on what the caller has already."""
        return not CONDITIONS.isdisjoint(self._request.environ)

    def has(self, etag: str) -> bool:
        """Say whether the caller tells that they have the answer with *etag*, which is enough.

        It is not where another condition comes first (RFC 9110 section 13.2.2).
        """
        environ = self._request.environ
        if "HTTP_IF_NONE_MATCH" not in environ or not FIRST_CONDITIONS.isdisjoint(environ):
            return False
        return self._request.if_none_match.contains_weak(etag.removeprefix("W/").strip('"'))

    def answer_conditionally(self, response: Response, size: int | None = None) -> Response:
        """Make *response* a 304 where the caller has it already (RFC 9110 section 13).

        Given the *size* of a file, it may be the part that is asked for. Raises
        RequestedRangeNotSatisfiable.
        """
        takes_range = size is not None and self._takes_range
        return response.make_conditional(self._request, takes_range, size)

    @property
    def _takes_range(self) -> bool:
        """Whether the part that is asked for, if one is, is told in a way that is understood."""
        wanted = self._request.range
        is_asked = "Range" in self._request.headers
        return not is_asked or (wanted is not None and wanted.units == "bytes")

    def take(self, *names: str) -> str | None:
        """Return the first parameter of *names* that was sent; None without one.

        Raises MalformedBody, BodyTooLarge, UnknownBody.
        """
        return next((self._params[name] for name in names if name in self._params), None)

    def take_flag(self, *names: str) -> bool:
        """Return whether the parameter is `yes`."""
        return self.take(*names) == "yes"

    def take_integer(self, *names: str) -> int:
        """Return a whole number, 0 where none was sent. Raises MalformedRequest."""
        text = self.take(*names)
        if not text:
            return 0
        if not INTEGER.fullmatch(text):
            raise MalformedRequest(f"Expected an integer for {names[-1]}")
        return int(text)

    @cached_property
    def _params(self) -> dict[str, str]:
        pairs = self._posted
        return _first_of_each(parse_qsl(self.address_query) if pairs is None else pairs)

    @cached_property
    def _posted(self) -> list[tuple[str, str]] | None:
        """The parameters in the body; None for no body, and then the address has them."""
        if self.method != "POST":
            return None
        kind = self._request.mimetype
        if kind in FORMS:
            return list(self._form.items(multi=True)) or None
        if not self._body:
            return None
        if kind != "application/json":
            raise UnknownBody(f"Send a form or JSON, not {kind or 'something unnamed'}")
        if not isinstance(self.json, dict):
            raise MalformedBody("The body must be an object")
        return [(name, _flat(value)) for name, value in self.json.items()]

    @property
    def _form(self) -> MultiDict[str, str]:
        try:
            return self._request.form
        except RequestEntityTooLarge:
            raise BodyTooLarge(f"A body may have {LARGEST} bytes") from None

    @cached_property
    def _body(self) -> bytes:
        try:
            return self._request.get_data()
        except RequestEntityTooLarge:
            raise BodyTooLarge(f"A body may have {LARGEST} bytes") from None


def _flat(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    params: dict[str, str] = {}
    for name, value in pairs:
        if value:
            params.setdefault(name, value)
    return params
