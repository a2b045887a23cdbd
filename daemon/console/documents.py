"""The documentation as pages: Markdown rendered, and searched by words."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from daemon.web.shipped_docs import shipped

WORD = re.compile(r"\w+")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
BOX = '<div class="scroll" tabindex="0"><table>'
SHOWN_AROUND = 90
HITS = 50


class ShippedDocument(NamedTuple):
    """A document: the name of its file without the ending, its title and its text."""

    name: str
    title: str
    text: str


class Hit(NamedTuple):
    """A place where all words of a search stand in one section."""

    document: ShippedDocument
    heading: str
    anchor: str
    excerpt: str


@cache
def documents() -> dict[str, ShippedDocument]:
    """Return the documents by name; none where they are not shipped."""
    folder = shipped("docs")
    files = sorted(folder.glob("*.md")) if folder is not None else ()
    return {file.stem: _read(file) for file in files}


def rendered_document(document: ShippedDocument) -> Markup:
    """Return the text of *document* as HTML, with an anchor at each heading."""
    markdown = _markdown()
    tokens = markdown.parse(document.text)
    for heading, content in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", anchor_of(content.content))
        if heading.type in {"fence", "code_block"}:
            heading.attrSet("tabindex", "0")  # it may scroll, by the keyboard too
        for link in content.children or ():
            if link.type == "link_open":
                link.attrSet("href", _address(str(link.attrGet("href"))))
            if link.type == "image":
                link.attrSet("src", f"/docs/{link.attrGet('src')}")
    html = markdown.renderer.render(tokens, markdown.options, {})
    # The corner of a table has no words, so it is no heading; a wide one scrolls in its box.
    for old, new in (("<th></th>", "<td></td>"), ("<table>", BOX), ("</table>", "</table></div>")):
        html = html.replace(old, new)
    return Markup(html)  # noqa: S704 (own text)


def found(words: str) -> list[Hit]:
    """Return the sections that have all *words*, those with them in the heading first."""
    wanted = [word.casefold() for word in WORD.findall(words)]
    if not wanted:
        return []
    hits = [hit for document in documents().values() for hit in _hits(document, wanted)]
    hits.sort(key=lambda hit: not all(word in hit.heading.casefold() for word in wanted))
    return hits[:HITS]


def anchor_of(heading: str) -> str:
    """Return the anchor of a section, as links in the documents have it."""
    words = re.sub(r"[^\w\- ]", "", heading.casefold())
    return words.strip().replace(" ", "-")


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _hits(document: ShippedDocument, wanted: list[str]) -> list[Hit]:
    return [
        Hit(document, heading, anchor, _excerpt(text, wanted[0]))
        for heading, anchor, text in _sections(document)
        if all(word in f"{document.title} {heading} {text}".casefold() for word in wanted)
    ]


@cache
def _sections(document: ShippedDocument) -> list[tuple[str, str, str]]:
    """Return the heading, the anchor and the plain text of each section of *document*."""
    sections: list[tuple[str, str, list[str]]] = []
    tokens = _markdown().parse(document.text)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            sections.append((_plain(token), anchor_of(token.content), []))
        elif sections and token.type in {"inline", "fence", "code_block"}:
            sections[-1][2].append(_plain(token))
    return [(heading, anchor, " ".join(texts)) for heading, anchor, texts in sections]


def _plain(token: Token) -> str:
    """Return the text of *token* without its marks, on one line."""
    if token.children is None:
        return " ".join(token.content.split())
    return "".join(each.content or " " * ("break" in each.type) for each in token.children)


def _excerpt(text: str, word: str) -> str:
    """Return what stands around *word*, or the beginning, in whole words."""
    place = max(0, text.casefold().find(word))
    begin = text.find(" ", place - SHOWN_AROUND) + 1 if place > SHOWN_AROUND else 0
    end = begin + 2 * SHOWN_AROUND
    return text[begin:] if len(text) <= end else f"{text[begin:end].rpartition(' ')[0]} …"


def _address(link: str) -> str:
    """Return the address of *link* among the pages of the console."""
    name, hash_, anchor = link.partition("#")
    if name.endswith(".md") and "/" not in name and "//" not in name:
        return f"/documents/{name.removesuffix('.md')}{hash_}{anchor}"
    return link


def _read(file: Path) -> ShippedDocument:
    text = file.read_text(encoding="utf-8")
    heading = HEADING.search(text)
    return ShippedDocument(file.stem, heading.group(1) if heading else file.stem, text)
