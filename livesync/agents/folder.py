"""FolderAgent: it writes each batch of records as a file into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from livesync.agents.target import Items, Send, TargetAgent
from livesync.marcxml import collected, record_xml
from livesync.records import wrapped
from livesync.reduction import Record

WRAPPERS: dict[str, Callable[[list[bytes]], bytes]] = {"json": wrapped, "marcxml": collected}
SUFFIXES = {"json": ".json", "marcxml": ".xml"}


class FolderAgent(TargetAgent):
    """Writes files `000000.json`, `000001.json`, ... into *folder*, `.xml` for *format* marcxml.

    A file appears whole or not at all. After an interrupted run records may come twice.
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
        self._folder = str(Path(folder).absolute())
        self._format = format

    def _prepare(self, record: Record) -> bytes:
        if self._format == "marcxml":
            return record_xml(record, self._access)
        return super()._prepare(record)

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        folder = Path(self._folder)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = count(_next_number(folder))
        yield partial(self._write, folder, numbers)

    def _write(self, folder: Path, numbers: Iterator[int], items: Items) -> None:
        target = folder / f"{next(numbers):06}{SUFFIXES[self._format]}"
        partial_file = target.with_name(f".{target.name}.part")
        with partial_file.open("wb") as file:
            file.write(WRAPPERS[self._format]([item.content for item in items]))
            file.flush()
            os.fsync(file.fileno())
        partial_file.replace(target)


def _next_number(folder: Path) -> int:
    taken = (int(file.stem) for file in folder.iterdir() if file.stem.isdecimal())
    return max(taken, default=-1) + 1
