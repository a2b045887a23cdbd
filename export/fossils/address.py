"""Where things are on the web."""

from __future__ import annotations


def absolute(url: str, base_url: str = "") -> str:
    """Return the address of what *url* names, a path of this installation or an address."""
    return url if "://" in url else base_url + url
