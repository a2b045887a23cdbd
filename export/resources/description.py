"""The description of the export itself: `openapi.json`, `docs` and `schemas` below `/export`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from export.auth import caller
from export.http.question import Question
from export.http.result import Document
from export.openapi.document import document
from export.openapi.page import ASSETS, POLICY, asset, page
from export.openapi.schema_documents import (
    ADDRESS,
    ANSWERS,
    CONTENT_TYPE,
    address_of,
    schema_document,
    schema_names,
)
from export.resource import Resource
from export.routing import nothing_at

SITES = 8
"""For how many addresses of the installation, as requests name it, descriptions are kept."""

_told_to_everybody = partial(Resource, door=caller.anybody, scopes=frozenset())


def description_of(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return the resources that describe *resources*, and themselves."""
    given = tuple(resources)
    described: list[Resource] = list(given)

    def answer_openapi(question: Question) -> Document:
        """Return the description of all addresses, as OpenAPI 3.1 has it."""
        return Document(json.dumps(_document(_base_url(question))).encode(), "application/json")

    def answer_page(question: Question) -> Document:
        """Return a page for people, with all addresses, to try them."""
        text = page(_document(_base_url(question)), question.request.root)
        return Document(text, "text/html; charset=utf-8", POLICY)

    def answer_schemas(question: Question) -> Document:
        """Return the addresses of all JSON Schemas, by their names."""
        base_url = _base_url(question)
        known = {name: address_of(name, base_url) for name in schema_names(_document(base_url))}
        return Document(json.dumps(known).encode(), "application/json")

    def answer_schema(question: Question) -> Document:
        """Return a JSON Schema (2020-12): of a record, or of an object in answers."""
        return _schema(question, question.arguments["name"])

    def answer_schema_of_answer(question: Question) -> Document:
        """Return the JSON Schema (2020-12) of the answers of an operation."""
        return _schema(question, f"{ANSWERS}/{question.arguments['name']}")

    def _schema(question: Question, name: str) -> Document:
        base_url = _base_url(question)
        found = schema_document(name, _document(base_url), base_url)
        if found is None:
            raise nothing_at(question.request.path)
        return Document(json.dumps(found).encode(), CONTENT_TYPE)

    @lru_cache(SITES)
    def _document(base_url: str) -> dict[str, Any]:
        return document(described, base_url)

    described += (
        _told_to_everybody("openapi", ("/export/openapi.json",), answer_openapi),
        _told_to_everybody(
            "documentation", ("/export/docs",), answer_page, content_type="text/html"
        ),
        _told_to_everybody(
            "documentation_asset",
            ("/export/docs/page.<any(js, css):kind>",),
            answer_asset,
            content_type="text/*",
        ),
        _told_to_everybody("schemas", ("/export/schemas.json",), answer_schemas),
        *(
            _told_to_everybody(name, (f"{address}/<word:name>.json",), answer, content_type=kind)
            for name, address, answer, kind in (
                ("schema", ADDRESS, answer_schema, CONTENT_TYPE),
                ("schema_of_answer", f"{ADDRESS}/{ANSWERS}", answer_schema_of_answer, CONTENT_TYPE),
            )
        ),
    )
    return tuple(described[len(given) :])


def _base_url(question: Question) -> str:
    return question.settings.base_url or question.request.root


def answer_asset(question: Question) -> Document:
    """Return a file of the page."""
    name = f"page.{question.arguments['kind']}"
    return Document(asset(name), ASSETS[name])
