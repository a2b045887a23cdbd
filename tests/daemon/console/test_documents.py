"""The documentation in the console: rendered, and searched by words.

Covers `daemon.console.documents`.
"""

from __future__ import annotations

import re

from daemon.console.documents import documents, found, rendered_document
from tests.daemon.console.conftest import PHONE


def test_what_a_search_finds_stands_at_its_anchor():
    hits = [*found("python"), *found("retry"), *found("indico_scheduler")]
    assert len(hits) > 50
    for hit in hits:
        assert f'id="{hit.anchor}"' in rendered_document(hit.document), hit.heading


def test_an_excerpt_is_plain_text_around_the_word():
    hits = found("idempotency")
    assert hits
    for hit in hits:
        assert not re.search(r"`|\]\(|\| --- ", hit.excerpt)
    assert any("idempotency" in hit.excerpt.casefold() for hit in hits)


def test_the_heading_comes_first_and_no_word_finds_nothing():
    assert "retry" in found("retry")[0].heading.casefold()
    assert found(" .,; ") == []


def test_names_in_a_table_are_not_broken_and_it_scrolls_in_its_box(visit, axe):
    page = visit("/documents/settings", user="vera", viewport=PHONE)
    assert page.locator("td code").count() > 50
    broken = """[...document.querySelectorAll("td:first-child code")]
      .filter((each) => each.getClientRects().length > 1).map((each) => each.innerText)"""
    assert page.evaluate(broken) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert axe.run(page).violations_count == 0


def test_each_document_is_rendered():
    assert len(documents()) > 30
    for document in documents().values():
        html = rendered_document(document)
        assert html.count("<h1") == 1
        assert html.count('<div class="scroll"') == html.count("</table></div>")
