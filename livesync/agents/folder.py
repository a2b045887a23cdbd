"""FolderAgent: it writes each batch of records as a file into a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ZODB.Connection import Connection

from livesync.agent import PushSyncAgent
from livesync.marcxml import collection
from livesync.records import documents_json, present
from livesync.reduction import Record
from livesync.uploader import RecordUploader

FORMATS: dict[str, Callable[[Iterable[Record]], str]] = {
    "json": documents_json,
    "marcxml": collection,
}
SUFFIXES = {"json": ".json", "marcxml": ".xml"}


class FolderAgent(PushSyncAgent):
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
        super().__init__(aid, name, description, updateTime, access)
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}: it must be one of {', '.join(FORMATS)}")
        self._folder = str(Path(folder).absolute())
        self._format = format
        self._batch_size = batch_size

    def _run(
        self,
        data: Iterable[Record],
        logger: logging.Logger | None = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> bool:
        folder = Path(self._folder)
        folder.mkdir(parents=True, exist_ok=True)
        writer = FolderWriter(
            logger, self, self._batch_size, folder, SUFFIXES[self._format], FORMATS[self._format]
        )
        return writer.iterateOver(present(data), dbi)


class FolderWriter(RecordUploader):
    """Writes each batch into the next file of a folder."""

    def __init__(
        self,
        logger: logging.Logger | None,
        agent: PushSyncAgent,
        batchSize: int,
        folder: Path,
        suffix: str,
        write: Callable[[Iterable[Record]], str],
    ) -> None:
        super().__init__(logger, agent, batchSize)
        self._folder = folder
        self._suffix = suffix
        self._write = write
        self._number = _next_number(folder)

    def _uploadBatch(self, batch: list[Record]) -> None:
        target = self._folder / f"{self._number:06}{self._suffix}"
        partial = target.with_name(f".{target.name}.part")
        with partial.open("w", encoding="utf-8") as file:
            file.write(self._write(batch))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        self._number += 1


def _next_number(folder: Path) -> int:
    taken = (int(file.stem) for file in folder.iterdir() if file.stem.isdecimal())
    return max(taken, default=-1) + 1
