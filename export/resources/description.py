"""The description of the export itself: `/export/openapi.json`, `/export/docs`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from export.auth import caller
from export.http.question import Question
from export.http.result import Document
from export.openapi.document import document
from export.openapi.page import ASSETS, POLICY, asset, page
from export.resource import Resource

_told_to_everybody = partial(Resource, door=caller.anybody, scopes=frozenset())


def description_of(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return the resources that describe *resources*, and themselves."""
    described: list[Resource] = list(resources)

    def answer_openapi(question: Question) -> Document:
        """Return the description of all addresses, as OpenAPI 3.1 has it."""
        return Document(json.dumps(_document(question)).encode(), "application/json")

    def answer_page(question: Question) -> Document:
        """Return a page for people, with all addresses, to try them."""
        text = page(_document(question), question.request.root)
        return Document(text, "text/html; charset=utf-8", POLICY)

    def _document(question: Question) -> dict[str, Any]:
        return document(described, question.settings.base_url or question.request.root)

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
    )
    return tuple(described[-3:])


def answer_asset(question: Question) -> Document:
    """Return a file of the page."""
    name = f"page.{question.arguments['kind']}"
    return Document(asset(name), ASSETS[name])
