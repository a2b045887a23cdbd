"""FolderAgent: it writes each batch of records as a file into a folder."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from livesync.agents.target import Items, Send, TargetAgent
from livesync.records.document import read_documents, wrapped
from livesync.records.reduction import Record
from scheduler.storage.private_files import FILE, opener, private_folder
from scheduler.values.extras import extra_needed

Wrapper = Callable[[list[bytes]], bytes]
Reader = Callable[[bytes], Iterable[tuple[str, Any]]]

WRAPPERS: dict[str, Wrapper] = {
    "json": wrapped,
    "marcxml": lambda records: _marcxml().collected(records),
}
READERS: dict[str, Reader] = {
    "json": read_documents,
    "marcxml": lambda content: _marcxml().read_collection(content),
}
SUFFIXES = {"json": ".json", "marcxml": ".xml"}


class FolderAgent(TargetAgent):
    """Writes files `000000.json`, `000001.json`, ... into *folder*, `.xml` for *format* marcxml.

    A file appears whole or not at all. After an interrupted run records may come twice.
    Other users cannot read the files, whatever the umask; the group can if *folder* is setgid.
    """

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        *,
        folder: str | os.PathLike[str],
        format: str = "json",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, batch_size=batch_size)
        if format not in WRAPPERS:
            raise ValueError(f"format is {format!r}: it must be one of {', '.join(WRAPPERS)}")
        if format == "marcxml":
            _marcxml()
        self._folder = str(Path(folder).absolute())
        self._format = format

    @property
    def tells_of_owners(self) -> bool:
        """Whether the records of parts tell of their owners: those in MARCXML do."""
        return self._format == "marcxml"

    def _prepare(self, record: Record) -> bytes:
        if self._format == "marcxml":
            content: bytes = _marcxml().record_xml(record, self._access)
            return content
        return super()._prepare(record)

    def reached(self) -> int | None:
        """Return the position of the newest change in the folder, as is noted beside its files."""
        try:
            return int(self._note.read_text())
        except FileNotFoundError:
            return None

    @property
    def _note(self) -> Path:
        folder = Path(self._folder)
        return folder.with_name(f".{folder.name}.{self._id}.position")

    def listed(self) -> Iterator[tuple[str, Any]]:
        """Yield what the files come to, read in their order: the last state of each object."""
        known: dict[str, Any] = {}
        for file in sorted(Path(self._folder).glob(f"[0-9]*{SUFFIXES[self._format]}")):
            for obj_id, state in READERS[self._format](file.read_bytes()):
                if state is None:
                    known.pop(obj_id, None)
                else:
                    known[obj_id] = state
        yield from known.items()

    def state_of(self, content: bytes) -> Any:
        """Return what of a record's *content* is the object's state."""
        if self._format == "marcxml":
            ((_, state),) = READERS[self._format](WRAPPERS[self._format]([content]))
            return state
        return super().state_of(content)

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        folder = Path(self._folder)
        private_folder(folder)
        numbers = count(_next_number(folder))
        write = partial(_write, folder, SUFFIXES[self._format], WRAPPERS[self._format], numbers)
        newest = self.reached()

        def send(items: Items) -> None:
            nonlocal newest
            write(items)
            positions = [item.position for item in items if item.position is not None]
            if positions and (newest is None or max(positions) > newest):
                newest = max(positions)
                _put(self._note, str(newest))

        yield send


def _marcxml() -> Any:
    # Imported only where it is asked for: its libraries are those of an extra.
    with extra_needed():
        return import_module("livesync.records.marcxml")


def _write(folder: Path, suffix: str, wrap: Wrapper, numbers: Iterator[int], items: Items) -> None:
    unfinished = folder / f".{os.getpid()}-{threading.get_ident()}.part"
    with open(unfinished, "wb", opener=opener) as file:
        os.fchmod(file.fileno(), _mode_in(folder))
        file.write(wrap([item.content for item in items]))
        file.flush()
        os.fsync(file.fileno())
    for number in numbers:
        try:
            # Not renamed: another one who writes here may have taken the number meanwhile.
            (folder / f"{number:06}{suffix}").hardlink_to(unfinished)
            break
        except FileExistsError:
            continue
    unfinished.unlink()
    _sync(folder)


def _mode_in(folder: Path) -> int:
    """Return the mode of files in *folder*: setgid on it is the owner's wish to share them."""
    return FILE | stat.S_IRGRP if folder.stat().st_mode & stat.S_ISGID else FILE


def _put(file: Path, text: str) -> None:
    unfinished = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}")
    with open(unfinished, "w", opener=opener) as opened:
        opened.write(text)
    unfinished.replace(file)


def _sync(folder: Path) -> None:
    """Have the names in *folder* on the disk, before anybody acknowledges what they hold."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _next_number(folder: Path) -> int:
    taken = (int(file.stem) for file in folder.iterdir() if file.stem.isdecimal())
    return max(taken, default=-1) + 1
