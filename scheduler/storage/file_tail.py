"""The tail of a data file: after a loss of power it may be anything (zeros, old bytes, rubbish)."""

from __future__ import annotations

import logging
import os
import struct
import time
from collections.abc import Iterator
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.FileStorage.FileStorage import _truncate, packed_version
from ZODB.FileStorage.format import DATA_HDR_LEN, CorruptedError, FileStorageFormatter
from ZODB.utils import z64

from scheduler.storage.private_files import close_to_others

log = logging.getLogger(__name__)

BEGINNING = len(packed_version)
# Leading bytes of a transaction id that stay the same for 45 days.
_PREFIX = 2
# The errors that ZODB raises for a damaged file.
CORRUPT = (CorruptedError, ValueError, AssertionError, struct.error)


class FileTail(FileStorageFormatter):
    """The part of the open *file* behind *start*, where the transaction *tid* ends."""

    def __init__(self, file: Any, name: str, start: int, tid: bytes) -> None:
        self._file = file
        self._name = name
        self._start = start
        self._tid = tid
        self._size = os.fstat(file.fileno()).st_size

    def cut(self) -> bool:
        """Cut off an incomplete transaction at the end, and keep it beside; return whether it did.

        Raises ValueError if whole transactions follow the damage, which then is no tail.
        """
        if self._size <= BEGINNING or self._ends_well():
            return False
        end = self._end_of_whole()
        if end == self._size:
            return False
        self._refuse_damage_before_whole(end)
        kept_in = _next_name(self._name)
        _truncate(self._file, self._name, end)
        close_to_others(kept_in)
        os.fsync(self._file.fileno())
        log.warning(
            "%s ended with %d bytes that are no whole transaction, as a loss of power leaves them: "
            "they are kept in %s; the last transaction is that of %s",
            self._name,
            self._size - end,
            kept_in,
            TimeStamp(self._tid) if self._tid != z64 else "none",
        )
        return True

    def _ends_well(self) -> bool:
        if self._size == self._start:
            return True
        position = self._size - 8 - self._read_num(self._size - 8)
        if position < self._start:
            return False
        tid = self._whole_at(position)
        return tid is not None and tid > self._tid

    def _end_of_whole(self) -> int:
        position = self._start
        while (tid := self._whole_at(position)) is not None and tid > self._tid:
            self._tid = tid
            position += self._length_at(position)
        return position

    def _whole_at(self, position: int) -> bytes | None:
        """Return the id of the transaction that stands at *position*; None if none does, whole."""
        try:
            header = self._read_txn_header(position)
            end = position + header.tlen
            if (
                header.status not in (" ", "p", "u")
                or header.tlen < header.headerlen()
                or end + 8 > self._size
                or self._read_num(end) != header.tlen
            ):
                return None
            record = position + header.headerlen()
            while record < end:
                found = self._read_data_header(record)
                if found.tloc != position or found.prev >= record or found.tid != header.tid:
                    return None
                record += DATA_HDR_LEN + (found.plen or 8)
            tid: bytes = header.tid
            return tid if record == end else None
        except CORRUPT:
            return None

    def _length_at(self, position: int) -> int:
        length: int = self._read_txn_header(position).tlen
        return length + 8

    def _refuse_damage_before_whole(self, end: int) -> None:
        if end == BEGINNING and os.path.exists(f"{self._name}.index"):
            raise ValueError("it has no whole transaction: put the backup back")
        for position in self._candidates(end):
            tid = self._whole_at(position)
            if tid is not None and tid > self._tid:
                raise ValueError(
                    f"it is damaged from byte {end} on, and whole transactions follow from byte "
                    f"{position} on: put the backup back, or take out what can be saved with "
                    "'python -m ZODB.fsrecover'"
                )

    def _candidates(self, end: int) -> Iterator[int]:
        self._file.seek(end)
        rest = self._file.read()
        now = TimeStamp(*time.gmtime()[:5], 0).raw()
        for prefix in {self._tid[:_PREFIX], now[:_PREFIX]}:
            found = rest.find(prefix, 1)
            while found >= 0:
                yield end + found
                found = rest.find(prefix, found + 1)


def tid_at(index: Any) -> tuple[int, bytes]:
    """Return where the transactions end that the restored *index* knows, and the last one's id."""
    return (BEGINNING, z64) if index is None else (int(index[1]), index[2])


def _next_name(name: str) -> str:
    number = 0
    while os.path.exists(f"{name}.tr{number}"):
        number += 1
    return f"{name}.tr{number}"
