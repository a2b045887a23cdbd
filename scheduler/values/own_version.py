"""The version of this software."""

from __future__ import annotations

from importlib.metadata import version

DISTRIBUTION = "zodb-relay"


def own_version() -> str:
    """Return the name and version of this software, as `--version` prints them."""
    return f"{DISTRIBUTION} {version(DISTRIBUTION)}"
