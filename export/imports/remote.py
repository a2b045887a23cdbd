"""From a live Indico itself: its answers are asked for page by page."""

from __future__ import annotations

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

PAGES = {
    re.compile(r"/event/(\w+)/?"): "/export/event/{}.json",
    re.compile(r"/category/(\w+)/?"): "/export/categ/{}.json",
}
"""Addresses that people see, and where their data is."""


def is_address(source: str) -> bool:
    """Say whether *source* is an address rather than a file."""
    return source.startswith(("http://", "https://"))


def answers(address: str) -> Iterator[Node]:
    """Yield the pages of what is at *address*, until one is not full. Raises ImportRefused."""
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = _data_address(address)
    with httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True) as client:
        before: list[object] = []
        for number in range(10**6):
            page = _page(client, url, number)
            results = page.get("results", list)
            if results and results == before:
                raise ImportRefused(f"{page.where}: the server repeats the page before")
            yield page
            if len(results) < PAGE:
                return
            before = results


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
    return url.copy_remove_param("n").copy_remove_param("O").copy_set_param("limit", PAGE)


def _page(client: httpx.Client, url: httpx.URL, number: int) -> Node:
    where = f"page {number + 1}"
    try:
        answer = client.get(url.copy_set_param("offset", number * PAGE))
    except httpx.HTTPError as error:
        raise ImportRefused(f"{where}: no answer: {error}") from None
    try:
        node = Node.of(answer.json(), where)
    except ValueError:
        raise ImportRefused(f"{where}: answered {answer.status_code}, and no JSON") from None
    if answer.is_error:
        told = node.data.get("message", "")
        raise ImportRefused(f"{where}: answered {answer.status_code}: {told}")
    return node
