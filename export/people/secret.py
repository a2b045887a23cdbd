"""Secrets that callers show: what is kept of one is its digest."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string

LETTERS = string.ascii_letters + string.digits


def digest(text: str) -> str:
    """Return the SHA-256 of *text* in hexadecimal; looking it up tells nothing about *text*."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def random_text(length: int) -> str:
    """Return so many random letters and digits."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def is_same(one: str, other: str) -> bool:
    """Say whether both texts are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(digest(one), digest(other))
