"""A route: an address, how it is asked and by whom, and what answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from export.auth import caller
from export.auth.caller import Caller
from export.errors import RequestException
from export.http.request import ExportRequest
from export.http.result import Answer, error_body
from export.settings import ExportSettings

Answering: TypeAlias = Callable[[ExportRequest, re.Match[str], str | None, ExportSettings], Answer]
Door: TypeAlias = Callable[[ExportRequest, ExportSettings, AbstractSet[str]], Caller]
Refusal: TypeAlias = tuple[int, Mapping[str, Any]]


def classic_refusal(error: RequestException) -> Refusal:
    """Return the status and the body that tell *error* in the classic API."""
    return error.status, error_body(error)


def modern_refusal(error: RequestException) -> Refusal:
    """Return the status and the body that tell *error* elsewhere, as RFC 6750 has it."""
    return error.status, error.details or {"error": "invalid_request", "message": error.message}


@dataclass(frozen=True)
class Route:
    """A resource at the addresses that `pattern` matches.

    `answer(request, match, user, settings)` returns the Answer or raises RequestException.
    Where `method` is POST it is one unit of work: it is committed when the Answer is returned,
    not when an error is raised, and done again after a conflict. A pattern without a group
    `format` is answered with JSON. A token needs one of `scopes`.
    """

    pattern: re.Pattern[str]
    answer: Answering
    scopes: AbstractSet[str] = frozenset()
    formats: tuple[str, ...] = ("json",)
    method: str = "GET"
    door: Door = caller.classic
    refusal: Callable[[RequestException], Refusal] = classic_refusal

    @property
    def allowed(self) -> str:
        """The methods that this address takes, as the header `Allow` tells them."""
        return "GET, HEAD, OPTIONS" if self.method == "GET" else f"{self.method}, OPTIONS"

    def takes(self, method: str) -> bool:
        """Say whether *method* is answered; HEAD is, where GET is."""
        return method == self.method or (method == "HEAD" and self.method == "GET")
