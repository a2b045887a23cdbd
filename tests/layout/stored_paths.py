"""Stored class paths: those that the packages can store, and those that a database has."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from persistent import Persistent
from ZODB.FileStorage.FileStorage import FileIterator

from scheduler.store.moved import StoredPath

PACKAGES = ("scheduler", "export", "livesync", "daemon")
LIST = Path(__file__).with_name("paths.txt")


def pinned() -> set[StoredPath]:
    """Return the paths of the list."""
    lines = LIST.read_text().splitlines()
    return {(module, name) for module, name in map(str.split, lines)}


def pin(paths: set[StoredPath]) -> None:
    """Add *paths* to the list; none is ever taken out of it here."""
    lines = sorted(" ".join(path) for path in pinned() | paths)
    LIST.write_text("".join(f"{line}\n" for line in lines))


def of_classes() -> set[StoredPath]:
    """Return the paths of all persistent classes of the packages."""
    for package in PACKAGES:
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    return {
        (kind.__module__, kind.__qualname__)
        for kind in _below(Persistent)
        if _is_of_the_packages(kind.__module__)
    }


def in_database(file: Path) -> set[StoredPath]:
    """Return the paths of the packages that the database *file* has in any of its records."""
    found = set()
    with closing(FileIterator(str(file))) as transactions:
        for transaction in transactions:
            for record in transaction:
                found |= set(_globals(record.data))
    return {path for path in found if _is_of_the_packages(path[0])}


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _is_of_the_packages(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _globals(data: bytes) -> Iterator[StoredPath]:
    """Yield the module and the name of each class or function in the pickles of a record."""
    rest = data
    while rest:
        end = 0
        for code, argument, position in pickletools.genops(rest):
            end = position + 1
            if code.name == "GLOBAL":
                module, name = argument.split(" ")
                yield module, name
        rest = rest[end:]
