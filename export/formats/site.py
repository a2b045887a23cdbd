"""The installation as feeds and calendars name it: its address, and ids that are its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from export.formats.xml_text import printable
from export.http.masking import KEYS
from export.http.request import ExportRequest

Shown = Mapping[str, Any]

NOWHERE = "http://localhost"
"""The address of an installation that is asked under no name."""

FLEETING = {*KEYS, "timestamp"}
"""Parameters that tell who asks and when, not what for."""


def address_of(body: Shown, request: ExportRequest | None) -> str:
    """Return the installation's address: the one that is set, else the one that was asked."""
    own = body["url"].partition("/export/")[0]
    return own if urlsplit(own).hostname else request.asked_site if request else NOWHERE


def domain_of(address: str) -> str:
    """Return the domain that ids of the installation at *address* end with."""
    return urlsplit(address).hostname or "localhost"


def absolute(address: str, url: str) -> str:
    """Return *url*, a path of the installation or an address, as one address on one line."""
    joined = "".join(printable(url).split())
    return joined if "://" in joined else address + joined


def feed_address(body: Shown, address: str) -> str:
    """Return where the feed is, the same for everybody and at any time."""
    url = absolute(address, body["url"].removeprefix(address))
    path, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and _name(part) not in FLEETING]
    return f"{path}?{'&'.join(kept)}" if kept else path


def entry_address(shown: Shown, address: str) -> str:
    """Return the id of what is shown, which depends on nothing but its own and its event's ids."""
    if "path" in shown:
        return f"{address}{shown['path']}"
    own = quote(printable(shown["id"]), safe="")
    if "conference" in shown:
        session = quote(printable(shown["session"]["id"]), safe="")
        return f"{address}/event/{shown['conference']['id']}/session/{session}/#{own}"
    if "conferenceId" in shown:
        return f"{address}/event/{shown['conferenceId']}/contribution/{own}"
    return f"{address}/event/{own}/"


def latest(moments: Iterable[datetime]) -> datetime:
    """Return the last of *moments*, the beginning of 1970 for none."""
    return max(moments, default=datetime.fromtimestamp(0, UTC))


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0]).lower()
