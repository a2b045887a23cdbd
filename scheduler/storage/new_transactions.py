"""New transactions: those that other processes have appended to the data file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ZODB.FileStorage.format import CorruptedDataError

HEADER = struct.Struct(">8sQcHHH")  # id, length, status, lengths of user, description, extension
RECORD = struct.Struct(">8s8sQQHQ")  # oid, id, previous, transaction, version, length of data
BACK = 8  # bytes of a pointer to data, in place of the data
REPEATED = 8  # bytes behind a transaction: its length again
UNFINISHED = b"c"
WHOLE = b" pu"
# Bytes in front of the first transaction.
BEGINNING = 4
# Bytes that are read at a time.
CHUNK = 1 << 20


class NewTransaction(NamedTuple):
    """A whole transaction: its id, where each of its objects stands, and where it ends."""

    tid: bytes
    positions: dict[bytes, int]
    end: int


def transactions_behind(descriptor: int, position: int) -> Iterator[NewTransaction]:
    """Yield the transactions of the open file from *position* on, up to one not yet finished.

    Raises CorruptedDataError for what no commit can have written.
    """
    chunk, start = b"", position
    while True:
        needed = _length(chunk, position - start)
        if needed is None or position - start + needed > len(chunk):
            chunk, start = _chunk_at(descriptor, position), position
            if not chunk:
                return
        found = _read(chunk, position - start, position)
        if found is None:
            return
        yield found
        position = found.end


def _chunk_at(descriptor: int, position: int) -> bytes:
    """Return the bytes from *position* on, at least a transaction; none for a part of one."""
    chunk = os.pread(descriptor, CHUNK, position)
    needed = _length(chunk, 0)
    if needed is None or position + needed > os.fstat(descriptor).st_size:
        return b""
    # One of many MB is longer than a chunk.
    return chunk if needed <= len(chunk) else os.pread(descriptor, needed, position)


def _length(chunk: bytes, at: int) -> int | None:
    if len(chunk) - at < HEADER.size:
        return None
    length: int = HEADER.unpack_from(chunk, at)[1]
    return length + REPEATED


def _read(chunk: bytes, at: int, position: int) -> NewTransaction | None:
    tid, length, status, *texts = HEADER.unpack_from(chunk, at)
    if status == UNFINISHED:
        return None
    end = at + length
    record = at + HEADER.size + sum(texts)
    if status not in WHOLE or chunk[end : end + REPEATED] != length.to_bytes(REPEATED, "big"):
        raise CorruptedDataError(buf=chunk[at : at + HEADER.size], pos=position)
    positions: dict[bytes, int] = {}
    while record < end:
        oid, _, _, where, _, size = RECORD.unpack_from(chunk, record)
        if where != position:
            raise CorruptedDataError(oid, chunk[record : record + RECORD.size], position)
        positions[oid] = position + record - at
        record += RECORD.size + (size or BACK)
    if record != end:
        raise CorruptedDataError(buf=chunk[at : at + HEADER.size], pos=position)
    return NewTransaction(tid, positions if status != b"u" else {}, position + length + REPEATED)


def holds(descriptor: int, end: int, tid: bytes) -> bool:
    """Return whether the transaction *tid* still ends at *end* in the open file."""
    if end <= BEGINNING:
        return True
    length = int.from_bytes(os.pread(descriptor, REPEATED, end - REPEATED), "big")
    start = end - REPEATED - length
    return start >= BEGINNING and os.pread(descriptor, len(tid), start) == tid
