"""From a live Indico itself: its answers are asked for page by page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import httpx

from export.errors import ImportRefused
from export.imports.node import Node

PAGE = 100
DETAIL = "subcontributions"
TOKEN = "INDICO_TOKEN"  # noqa: S105 (the variable's name)
"""The environment variable with a token for what is not public."""

TIMEOUT = 120.0
"""How many seconds a large category may take to answer."""

LARGEST = 32 << 20
"""How many bytes an answer may have, unpacked."""

MOST = 10**6
"""How many objects and lists an answer may have; each takes many times its bytes."""

SECRETS = {"ak", "apikey", "signature", "access_token", "token", "ca", "cookieauth"}
"""Parameters that open what is not public."""

CHUNK = 1 << 16

PAGES = {
    re.compile(r"/event/(\w+)/?"): "/export/event/{}.json",
    re.compile(r"/category/(\w+)/?"): "/export/categ/{}.json",
}
"""Addresses that people see, and where their data is."""


class AnswerTooLarge(ImportRefused):
    """An answer would take too much memory."""


def is_asked_as_somebody(address: str) -> bool:
    """Say whether the answer of *address* may hold what not everybody sees."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return True
    named = {name.lower() for name in url.params}
    return bool(os.environ.get(TOKEN) or url.userinfo or named & SECRETS)


def shown(address: str) -> str:
    """Return *address* as messages and the log may show it, without what opens it."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return address
    secret = [name for name in url.params if name.lower() in SECRETS]
    for name in secret:
        url = url.copy_set_param(name, "***")
    return str(url.copy_with(username="***", password=None) if url.userinfo else url)


def is_address(source: str) -> bool:
    """Say whether *source* is an address rather than a file."""
    return source.startswith(("http://", "https://"))


def answers(address: str) -> Iterator[Node]:
    """Yield the pages of what is at *address*, until one is not full. Raises ImportRefused.

    A limit and an offset in the address are respected.
    """
    token = os.environ.get(TOKEN)
    headers = {"Accept-Encoding": "gzip"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = _data_address(address)
    offset, rest = _number(url, "offset", "O") or 0, _number(url, "limit", "n")
    for name in ("n", "O", "limit", "offset"):
        url = url.copy_remove_param(name)
    with httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True) as client:
        before: list[object] = []
        most, number = PAGE, 1
        while True:
            size = most if not rest else min(most, rest)
            part = url.copy_merge_params({"limit": size, "offset": offset})
            try:
                page = _page(client, part, f"page {number}")
            except AnswerTooLarge:
                if size == 1:
                    raise
                most = max(1, size // 4)
                continue
            results = page.get("results", list)
            if results and results == before:
                raise ImportRefused(f"{page.where}: the server repeats the page before")
            yield page
            offset, rest = offset + size, rest - size if rest else rest
            if len(results) < size or rest == 0:
                return
            before, number = results, number + 1


def _number(url: httpx.URL, *names: str) -> int | None:
    """Return the parameter of one of *names*; None without one above 0."""
    text = next((url.params[name] for name in names if name in url.params), "")
    if text and not (text.isascii() and text.isdigit()):
        raise ImportRefused(f"the {names[0]} in the address is no number: {text!r}")
    return int(text or 0) or None


def _data_address(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ImportRefused(f"no address: {error}") from None
    for seen, data in PAGES.items():
        found = seen.search(url.path) if "/export/" not in url.path else None
        if found:
            url = url.copy_with(path=url.path[: found.start()] + data.format(found[1]))
    if not {"detail", "d"} & url.params.keys():
        url = url.copy_set_param("detail", DETAIL)
    return url


def _page(client: httpx.Client, url: httpx.URL, where: str) -> Node:
    status, kind, content = _content(client, url, where)
    try:
        node = Node.of(json.loads(content), where)
    except (ValueError, RecursionError):
        page = "; a page for people (HTML) is no data" if "html" in kind else ""
        raise ImportRefused(f"{where}: answered {status}, and no JSON{page}") from None
    if status >= httpx.codes.BAD_REQUEST:
        raise ImportRefused(f"{where}: answered {status}: {node.data.get('message', '')}")
    return node


def _content(client: httpx.Client, url: httpx.URL, where: str) -> tuple[int, str, bytes]:
    """Return status, type and content of an answer, unpacked as far as the limit allows."""
    content = bytearray()
    try:
        with client.stream("GET", url) as answer:
            for raw in answer.iter_bytes(CHUNK):
                content += raw
                if len(content) > LARGEST:
                    raise AnswerTooLarge(
                        f"{where}: the answer has more than {LARGEST >> 20} MB, unpacked"
                    )
            if content.count(b"{") + content.count(b"[") > MOST:
                raise AnswerTooLarge(f"{where}: the answer has more than {MOST} objects and lists")
            return answer.status_code, answer.headers.get("Content-Type", ""), bytes(content)
    except httpx.HTTPError as error:
        raise ImportRefused(f"{where}: no answer: {error}") from None
