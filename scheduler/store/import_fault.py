"""Import faults: why a stored class or function cannot be imported, and whether a restart helps."""

from __future__ import annotations

import importlib
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import psutil

# When each module was imported anew; all others since the process began.
_imported: dict[str, float] = {}


def import_fault(module: str, name: str) -> str:
    """Return why *name* cannot be imported from *module*, and the remedy."""
    found = sys.modules.get(module)
    if found is None:
        return _not_loaded(module)
    if has_changed(found):
        return (
            f"its module {found.__file__} has changed since process {os.getpid()} imported it: "
            "'indico_scheduler reload' brings it in"
        )
    return f"its module {_place(found)} has no {name}"


def has_changed(module: ModuleType) -> bool:
    """Return whether the file of *module* was written since this process imported it."""
    try:
        written = Path(module.__file__ or "").stat().st_mtime
    except (AttributeError, OSError):
        return False
    return written > _imported.get(module.__name__, _began())


def import_anew(module: ModuleType) -> None:
    """Import *module* once more; raises what its code raises."""
    now = time.time()
    importlib.invalidate_caches()
    importlib.reload(module)
    _imported[module.__name__] = now


def _not_loaded(module: str) -> str:
    importlib.invalidate_caches()
    try:
        is_found = find_spec(module) is not None
    except Exception:  # noqa: BLE001 (code of the application)
        is_found = False
    if is_found:
        return f"the import of its module {module} fails: 'python -c \"import {module}\"' says why"
    return (
        f"there is no module {module} on the path of process {os.getpid()}: put it there, by "
        "installing it or by PYTHONPATH, and restart"
    )


def _place(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or module.__name__


def _began() -> float:
    return float(psutil.Process().create_time())
