"""The version of the code that a task runs."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def code_version(name: str) -> str:
    """Return the version of the package of what has the dotted *name*; empty where it has none.

    That is the package's `__version__`, else that of the distribution of the same name.
    """
    return _version_of(name.partition(".")[0])


@cache
def _version_of(package: str) -> str:
    own = getattr(sys.modules.get(package), "__version__", None)
    if own is not None:
        return str(own)
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
