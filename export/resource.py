"""A resource: its addresses, how it is asked and by whom, what it takes and what answers.

Routing, checks, OpenAPI and the documentation page come from tables of resources. There are three
ways to add some, one or several resources or collections (`export.collection`) each:

- `register(resource, ...)`, before the application is made, for code that is loaded with it;
- the entry point group `zodb_relay.resources`, whose entries name a resource, a collection,
  or a list of them;
- `make_app(database, config, resources=[...])`.

An address is a rule of werkzeug with the converters of CONVERTERS, as
`/export/book/<id:book>.<word:format>`. Where two resources have the same address and method, the
application is not made: ExportConfigurationException.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ZODB.Connection import Connection

from export.auth import caller
from export.auth.caller import Caller
from export.errors import RefusedRequest, RequestException
from export.http.parameter import Parameter
from export.http.past import Past
from export.http.question import Detail, Question
from export.http.request import ExportRequest
from export.http.result import Answer, error_body
from export.http.selection import MAXIMUM
from export.settings import ExportSettings

Answering: TypeAlias = Callable[[Question], Answer]
Door: TypeAlias = Callable[[ExportRequest, ExportSettings, AbstractSet[str]], Caller]
Refusal: TypeAlias = tuple[int, Mapping[str, Any]]

READ = frozenset({"read:legacy_api"})
WRITE = frozenset({"write:legacy_api"})
ANYTHING = frozenset({"full:everything"})
"""Scopes: of what is read and what is written in the classic API, and of all else there is."""


UNSIGNED = "The API key does not count without a signature: sign the request."


def answered(resource: Resource, question: Question, caller: Caller) -> Answer:
    """Return the answer of *resource*; a refusal tells *caller* that they lack a signature."""
    try:
        return resource.answer(question)
    except RefusedRequest as error:
        if caller.lacks_signature:
            raise RefusedRequest(f"{error.message} {UNSIGNED}") from None
        raise


def classic_refusal(error: RequestException) -> Refusal:
    """Return the status and the body that tell *error* in the classic API."""
    return error.status, error_body(error)


def modern_refusal(error: RequestException) -> Refusal:
    """Return the status and the body that tell *error* elsewhere, as RFC 6750 has it."""
    return error.status, error.details or {"error": "invalid_request", "message": error.message}


@dataclass(frozen=True, eq=False)
class Resource:
    """An answering function with its addresses and its method.

    `answer(question)` returns the Answer or raises RequestException. Where `method` is not GET
    it is one unit of work: it is committed when the Answer is returned, not when an error is
    raised, and done again after a conflict. An address without `<word:format>` is answered with
    JSON. A token needs one of `scopes`.
    """

    name: str
    """Its name among all resources, in OpenAPI."""

    addresses: tuple[str, ...]
    answer: Answering
    scopes: AbstractSet[str] = READ
    formats: tuple[str, ...] = ("json",)
    method: str = "GET"
    door: Door = caller.classic
    refusal: Callable[[RequestException], Refusal] = classic_refusal
    details: Mapping[str, Detail] = field(default_factory=dict)
    usual_detail: str | None = None
    most: int = MAXIMUM
    """How many objects an answer has at most, without detail levels."""

    parameters: tuple[Parameter, ...] = ()
    """The parameters that it takes."""

    body: Mapping[str, Any] | None = None
    """The JSON Schema of what is posted, where that is one object in JSON."""

    exists: Callable[[Connection, Mapping[str, str]], bool] | None = None
    """Whether an address is there, by the parts of it; None if that does not depend on the data."""

    shows: Any = None
    """The fossil of its results, or their JSON Schema, which is that of the whole answer where that
    is no JSON with an envelope; None with detail levels, or where it has none."""

    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The further JSON Schemas that it publishes, by their names."""

    content_type: str = "application/json"
    """The type of its answers, where the address has no format."""

    is_pending: bool = False
    """Whether answers tell of a task that may not have ended (202)."""

    writers: Mapping[str, str] = field(default_factory=dict)
    """The formats (`export.formats`) in which those of the address are written, where they are
    others: a schedule's `json` is that of frab."""

    meaning: str = ""
    """Its description; that of the answering function where it is empty."""

    @property
    def description(self) -> str:
        """A sentence or more about what is answered, for people."""
        return self.meaning or inspect.getdoc(self.answer) or ""

    def written_as(self, kind: str) -> str:
        """Return the format in which answers are written at an address with *kind*."""
        return self.writers.get(kind, kind)

    def takes(self, method: str) -> bool:
        """Say whether *method* is answered; HEAD is, where GET is."""
        return method == self.method or (method == "HEAD" and self.method == "GET")

    def question(
        self,
        request: ExportRequest,
        arguments: Mapping[str, str],
        user: str | None,
        settings: ExportSettings,
        past: Past | None = None,
    ) -> Question:
        """Return what *user* asks of this resource."""
        return Question(request, arguments, user, settings, self.details, self.usual_detail, past)
