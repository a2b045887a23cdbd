"""Addresses of the web: what a browser may follow, and nothing that it would run."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

SCHEMES = {"http", "https", "ftp", "mailto"}
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0<>\"\\^`{|}\u2028\u2029]")


def web_address(text: str, base: str = "") -> str | None:
    """Return the address that *text* is, relative to *base*; None where it is none.

    A path of a server, as `/event/7/`, is one.
    """
    text = text.strip()
    try:
        address = urljoin(base, text) if base else text
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not text or UNPRINTABLE.search(text):
        return None
    if not parts.scheme and not parts.netloc:
        return address if address.startswith("/") else None
    if parts.scheme == "mailto":
        return address if "@" in parts.path else None
    return address if parts.scheme in SCHEMES and host else None
