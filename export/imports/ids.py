"""Ids that an address can have; others are mapped to one, without collisions."""

from __future__ import annotations

import hashlib
import re

REACHABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def digest(text: str) -> str:
    """Return 16 hexadecimal digits that stand for *text*."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def reachable(name: str) -> str:
    """Return *name* if an address can have it; else an id made of it that nothing else has."""
    if REACHABLE.fullmatch(name):
        return name
    if UUID.fullmatch(name):
        return name.replace("-", "_")
    return f"{readable(name)}_{digest(name)}".removeprefix("_")


def readable(name: str) -> str:
    """Return what an address can have of *name*; several names may give the same."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:40]
