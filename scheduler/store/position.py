"""Position tokens: signed texts for transactions, the same in answers, records and waits.

A token stands for what one transaction has left: a reader shows it to go on from there, to wait
for it, or to see the database as it was. It is signed with a key of the database, and names the
epoch, which ends when the database is restored from a backup.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import NamedTuple

from persistent import Persistent
from persistent.TimeStamp import TimeStamp
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from scheduler.errors import PositionGone, PositionUnreadable
from scheduler.store.overlay import snapshot_of
from scheduler.store.schema import Schema

KEY_BYTES, EPOCH_BYTES, SIGNATURE_BYTES = 32, 4, 9
TID_BYTES = 8
FORM = re.compile("[A-Za-z0-9_-]{28}")
"""The form of a token: 21 bytes in URL-safe base64."""


class PositionTokens(NamedTuple):
    """The tokens of one epoch of one database."""

    key: bytes
    epoch: bytes

    def of(self, tid: int) -> str:
        """Return the token that stands for the transactions up to *tid*."""
        told = p64(tid) + self.epoch
        return urlsafe_b64encode(told + self._signature(told)).decode()

    def read(self, text: str) -> int:
        """Return the number of the transaction for which *text* stands.

        Raises PositionUnreadable, and PositionGone for a token from before a restore.
        """
        raw = urlsafe_b64decode(text) if FORM.fullmatch(text) else b""
        told, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not raw or not hmac.compare_digest(signature, self._signature(told)):
            raise PositionUnreadable(
                f"{text[:80]!r} is no position of this database: show one as an answer or a "
                "record has told it"
            )
        if told[TID_BYTES:] != self.epoch:
            raise PositionGone(
                "the position is from before the database was restored from a backup: what came "
                "after the backup is lost; begin anew"
            )
        return int(u64(told[:TID_BYTES]))

    def _signature(self, told: bytes) -> bytes:
        return hmac.digest(self.key, told, "sha256")[:SIGNATURE_BYTES]


class Positions(Persistent):
    """The key and the epoch of the tokens. Conflict behaviour: written by a restore alone."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(KEY_BYTES)
        self._epoch = secrets.token_bytes(EPOCH_BYTES)

    @property
    def tokens(self) -> PositionTokens:
        """The tokens of the present epoch."""
        return PositionTokens(self._key, self._epoch)

    def begin_epoch(self) -> None:
        """End the epoch: tokens until now are refused."""
        self._epoch = secrets.token_bytes(EPOCH_BYTES)


SCHEMA = Schema("positions", 1, Positions)


def tokens_of(connection: Connection) -> PositionTokens:
    """Return the tokens of the database of *connection*."""
    return SCHEMA.get(connection).tokens


def token_of(connection: Connection, tid: int | None = None) -> str:
    """Return the token of transaction *tid*; for None that of the snapshot of *connection*."""
    return tokens_of(connection).of(snapshot_of(connection) if tid is None else tid)


def number_at(moment: datetime) -> int:
    """Return the highest number that a transaction up to *moment*, which is aware, can have."""
    parts = moment.astimezone(UTC)
    seconds = parts.second + parts.microsecond / 10**6
    return int(u64(TimeStamp(*parts.timetuple()[:5], seconds).raw()))


def is_token(text: str) -> bool:
    """Say whether *text* has the form of a token."""
    return FORM.fullmatch(text) is not None
