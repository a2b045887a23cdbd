"""The documentation, rendered, with a search; and addresses of the export to try."""

from __future__ import annotations

from werkzeug.exceptions import NotFound

from daemon.console.documents import documents, found, rendered_document
from daemon.console.page import ConsolePage, Facts
from daemon.console.visit import Visit

LONGEST_SEARCH = 200


def _facts(visit: Visit) -> Facts:
    words = visit.query.get("q", "")[:LONGEST_SEARCH]
    return {"documents": documents().values(), "words": words, "hits": found(words)}


def _one(visit: Visit) -> Facts:
    document = documents().get(visit.arguments["name"])
    if document is None:
        raise NotFound(f"There is no document {visit.arguments['name']!r}")
    return {"document": document, "html": rendered_document(document)}


PAGE = ConsolePage("/documents", "documents.html", _facts, label="Documents", is_live=False)
ONE = ConsolePage("/documents/<name>", "document.html", _one, is_live=False)
