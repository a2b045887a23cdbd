"""Masking: a query without the secrets in it."""

from __future__ import annotations

from urllib.parse import unquote_plus

SECRETS = {"signature", "csrftoken", "access_token"}
"""Parameters that are not repeated to anybody."""

KEYS = {"ak", "apikey"}
"""Parameters of which the name alone is repeated."""

MASK = "..."


def masked(query: str) -> str:
    """Return *query* without SECRETS, and without the values of KEYS."""
    return "&".join(filter(None, map(_masked, query.split("&"))))


def _masked(part: str) -> str:
    sent = part.partition("=")[0]
    name = unquote_plus(sent).lower()
    return "" if name in SECRETS else f"{sent}={MASK}" if name in KEYS else part
