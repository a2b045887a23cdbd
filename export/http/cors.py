"""CORS: which pages of other sites may ask, as browsers see to it."""

from __future__ import annotations

from collections.abc import Sequence

from werkzeug.wrappers import Request, Response

ANY = "*"
ASKED = "Authorization, Content-Type, If-None-Match, If-Modified-Since"
"""The headers that a page may send; cookies are none of them."""

TOLD = (
    "ETag, Last-Modified, Link, Position, Retry-After, WWW-Authenticate, "
    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
"""The headers that a page may read, beside those of every answer."""

SECONDS = "3600"
"""How long a browser may remember what it was told before a request."""


class CorsPolicy:
    """The *origins* of pages that may ask, `*` for all."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def apply(self, http: Request, response: Response) -> Response:
        """Return *response* with the headers that let the page read it, if it may."""
        if not self._origins:
            return response
        if ANY not in self._origins:
            response.vary.add("Origin")
        origin = http.headers.get("Origin", "")
        if not origin or not self._origins & {ANY, origin}:
            return response
        response.headers["Access-Control-Allow-Origin"] = ANY if ANY in self._origins else origin
        if http.method == "OPTIONS" and "Access-Control-Request-Method" in http.headers:
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "GET")
            response.headers["Access-Control-Allow-Headers"] = ASKED
            response.headers["Access-Control-Max-Age"] = SECONDS
        else:
            response.headers["Access-Control-Expose-Headers"] = TOLD
        return response
