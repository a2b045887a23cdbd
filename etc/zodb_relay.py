"""Foreign names: a module of a stranger that shadows one of the packages of this software.

It needs nothing but the standard library, and stands beside the packages: the console scripts
find it even when `scheduler` itself is shadowed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

DISTRIBUTION = "zodb-relay"
# By package, a file that only the package of this software has.
MARKERS = {
    "scheduler": "worker/process.py",
    "export": "fossilize.py",
    "livesync": "cli/main.py",
    "daemon": "cli/main.py",
}
SHADOWED = 2
"""The exit status of a command or worker that finds a stranger."""
INCOMPLETE = 1
"""The exit status of a command whose extra is not installed."""


def shadowed() -> str:
    """Return in one line which file shadows which package, and the remedy; empty if none does."""
    for name, marker in MARKERS.items():
        spec = PathFinder.find_spec(name)
        if spec is None:
            continue
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
        if any((folder / marker).is_file() for folder in folders):
            continue
        file = spec.origin or str(folders[0])
        return f"{file} shadows the package {name!r} of {DISTRIBUTION}: {_remedy(name, file)}"
    return ""


def overwritten() -> str:
    """Return which distribution has overwritten which package, and the remedy; empty if none."""
    owners = _owners()
    for name in MARKERS:
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            return (
                f"the distribution {others[0]!r} has overwritten the package {name!r} of "
                f"{DISTRIBUTION}: uninstall it, and install {DISTRIBUTION} again"
            )
    return ""


def _remedy(name: str, file: str) -> str:
    others = sorted(set(_owners().get(name, ())) - {DISTRIBUTION})
    if others and "site-packages" in file:
        return f"uninstall the distribution {others[0]!r}, or install {DISTRIBUTION} apart from it"
    return "rename it, or take its folder off PYTHONPATH and start from another one"


def _owners() -> Mapping[str, list[str]]:
    # Imported only where it is asked for: it costs a short command a tenth of its time.
    from importlib.metadata import packages_distributions

    return packages_distributions()


def _missing(error: ImportError) -> str:
    sentence: str = import_module("scheduler.values.extras").missing_extra(error)
    return sentence


def _run(command: str, module: str) -> int:
    found = shadowed()
    if not found:
        gc.disable()  # what is imported stays, so the collector need not look at it
        try:
            main: Callable[[], int] = import_module(module).main
        except ImportError as error:
            found = overwritten()
            if not found and _missing(error):
                sys.stderr.write(f"{command}: {_missing(error)}\n")
                return INCOMPLETE
            if not found:
                raise
        else:
            gc.enable()
            try:
                return main()
            finally:
                gc.freeze()  # nor at the end, which took a third of a short command
    sys.stderr.write(f"{command}: {found}\n")
    return SHADOWED


def scheduler() -> int:
    """Run `indico_scheduler`; return its exit status, 2 if a stranger shadows a package."""
    return _run("indico_scheduler", "daemon.cli.main")


def livesync() -> int:
    """Run `indico_livesync`; return its exit status, 2 if a stranger shadows a package."""
    return _run("indico_livesync", "livesync.cli.main")


def export() -> int:
    """Run `indico_export`; return its exit status, 2 if a stranger shadows a package."""
    return _run("indico_export", "export.cli.main")
