"""Positions as people write them: a number, `start`, or the token of a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ZODB.Connection import Connection

from livesync.errors import AgentSettingException, PositionGoneException, TokenGoneException
from livesync.feed.delivery_waits import transaction_of
from livesync.feed.manager import SyncManager
from livesync.track import journal
from livesync.track.track import Item
from scheduler.store.history import is_lost
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import is_token, number_at, tokens_of

BEGINNING = "start"


def position_from_text(manager: SyncManager, text: str) -> int | None:
    """Return the position that *text* names on the track; None is before the oldest change.

    A token stands for the newest position behind which all changes of later transactions are.
    Raises AgentSettingException for any other text, EmptyTrackException for an empty track,
    TokenException and PositionGoneException for a token that is no good any more.
    """
    track = manager.getTrack()
    if text == BEGINNING:
        return None
    oldest, newest = track.oldestTS(), max(track.mostRecentTS(), track.frontier or 0)
    if is_token(text):
        return TokenPlace.of(manager, text).behind()
    if not text.lstrip("-").isdecimal() or not oldest - 1 <= int(text) <= newest:
        raise AgentSettingException(
            f"there is no position {text!r}: give one from {oldest - 1} to {newest}, "
            f"{BEGINNING!r}, or the position that an answer or a record tells"
        )
    return int(text)


def position_till(manager: SyncManager, token: str) -> int:
    """Return the oldest position up to which all changes up to the transaction of *token* are.

    Raises as `TokenPlace.of`, and EmptyTrackException.
    """
    place, oldest = TokenPlace.of(manager, token).till(), manager.stored_track.oldestTS()
    return oldest - 1 if place is None else place


class TokenPlace(NamedTuple):
    """The place of a transaction on the track of *manager*, all of which is in order."""

    manager: SyncManager
    tid: int

    @classmethod
    def of(cls, manager: SyncManager, text: str) -> TokenPlace:
        """Return the place of the token *text*.

        Raises TokenException for one that is none, TokenGoneException for one from before a
        restore, and PositionGoneException where changes behind it are not kept any more.
        """
        connection: Connection = manager._p_jar
        tid = transaction_of(text, connection)
        manager.sequence()
        if is_lost(connection.db(), tid) and tid <= snapshot_of(connection):
            raise TokenGoneException(
                f"the transaction of {text} is not in the database: a backup was put back; begin "
                "anew"
            )
        oldest = _oldest(manager)
        if tid < oldest:
            raise PositionGoneException(
                f"changes behind {text} are not kept any more: the oldest position is "
                f"{tokens_of(connection).of(oldest)}"
            )
        return cls(manager, tid)

    def is_behind(self, action: Any) -> bool:
        """Say whether *action* is of a later transaction, or of one that is not known."""
        tid = getattr(action, "tid", None)
        return tid is None or tid > self.tid

    def behind(self) -> int | None:
        """Return the newest position behind which all later changes are; None for the beginning."""
        track = self.manager.stored_track
        position = track.next_after(None)
        while position is not None:
            if any(map(self.is_behind, track[position])):
                return position - 1
            position = track.next_after(position)
        return track.last_before(None)

    def till(self) -> int | None:
        """Return the oldest position up to which there is all until then; None for nowhere."""
        newest_first: Iterator[Item] = self.manager.stored_track.iterate()
        return next((place for place, action in newest_first if not self.is_behind(action)), None)


def _oldest(manager: SyncManager) -> int:
    """Return the transaction up to which changes may be gone: of the journal, or of the track."""
    kept = journal.SCHEMA.get(manager._p_jar)
    trimmed = manager.stored_track.horizon
    if trimmed is None:
        return kept.horizon
    moment = datetime.fromtimestamp((trimmed + 1) * manager.getGranularity(), UTC)
    first = next(kept.behind(number_at(moment)), (snapshot_of(manager._p_jar), ()))[0]
    return max(kept.horizon, first)
