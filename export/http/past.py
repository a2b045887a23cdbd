"""The past of a question: the earlier states of the database that it asks about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, NamedTuple

from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from export.errors import (
    GonePosition,
    MalformedRequest,
    RequestException,
    ServiceUnavailable,
    UnknownPosition,
    UnknownResource,
)
from export.http.dates import parse_from
from export.http.request import ExportRequest
from export.http.selection import AT, CURSOR, SINCE
from scheduler.clock import nowutc
from scheduler.errors import NoHistory, NothingYet, PositionGone, PositionUnreadable
from scheduler.store import using
from scheduler.store.history import past_view, refuse_if_gone
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import is_token, number_at, tokens_of
from scheduler.store.read_set import knows


class Instance(NamedTuple):
    """A moment in the history: the number of a transaction, or one that lies between two."""

    tid: int
    is_exact: bool


@dataclass(frozen=True)
class Past:
    """The earlier states that a question asks about."""

    shown: Connection
    """The state that is shown."""

    present: Connection | None
    """The present state, if another one is shown: its rules hold too."""

    before: Connection | None = None
    """The state with which the shown one is compared; None for no comparison."""

    before_tid: int = 0
    """The transaction that has left the state before."""

    cursor: int = 0
    marker: bytes | None = None
    """The oid of the read marker (`scheduler.store.read_set`), if that was there then."""

    def holds_now(self, obj: Any, rule: Callable[[Any], Any]) -> bool:
        """Say whether *rule* holds of *obj* as it is now.

        If it is gone, or in nothing any more, the rule has to hold of what it was in.
        """
        oid = getattr(obj, "_p_oid", None)
        if self.present is None or oid is None:
            return True
        with using(self.present):
            try:
                now = self.present.get(oid)
                if not rule(now):
                    return False
                is_placed = _owner_of(now) is not None
            except POSKeyError:
                is_placed = False
        owner = _owner_of(obj)
        return is_placed or owner is None or self.holds_now(owner, rule)


def _owner_of(obj: Any) -> Any:
    return obj.getOwner() if hasattr(type(obj), "getOwner") else None


@contextmanager
def opened(
    request: ExportRequest, connection: Connection, zone: tzinfo, marker: bytes, *, compares: bool
) -> Iterator[Past]:
    """Give the states that *request* names; *connection* is to the present one.

    The parameter `since` counts only if it *compares*. Raises RequestException.
    """
    shown_at, since = AT.of(request), SINCE.of(request) if compares else None
    database, newest = connection.db(), snapshot_of(connection)
    with ExitStack() as stack:
        shown, last = connection, newest
        if shown_at:
            last = checked(shown_at, connection, zone)
            shown = stack.enter_context(past_view(database, last))
        present = None if shown is connection else connection
        if not since:
            yield Past(shown, present)
            return
        first = checked(since, connection, zone)
        if first > last:
            raise MalformedRequest("'since' must not be later than 'at'")
        before = stack.enter_context(past_view(database, first))
        is_marked = knows(shown, marker)
        cursor = CURSOR.of(request) or 0
        yield Past(shown, present, before, first, cursor, marker if is_marked else None)


def checked(text: str, connection: Connection, zone: tzinfo) -> int:
    """Return the transaction for which *text* stands, a position or a date in *zone*.

    Raises RequestException where its state cannot be seen through the database of *connection*.
    """
    instant = number_of(text, connection, zone)
    newest = snapshot_of(connection)
    tid = instant.tid if instant.is_exact else min(instant.tid, newest)
    try:
        refuse_if_gone(connection.db(), tid, is_exact=instant.is_exact)
    except NoHistory as error:
        raise UnknownPosition(str(error)) from None
    except NothingYet:
        raise UnknownResource("There is nothing yet at that time") from None
    except PositionGone as error:
        raise _gone(error, connection) from None
    if tid > newest:
        raise ServiceUnavailable("The position is newer than what is seen here: ask again")
    return tid


def number_of(text: str, connection: Connection, zone: tzinfo) -> Instance:
    """Return the transaction or the moment that *text* names, whether or not it can be seen still.

    Raises RequestException.
    """
    if is_token(text):
        try:
            return Instance(tokens_of(connection).read(text), is_exact=True)
        except PositionUnreadable as error:
            raise UnknownPosition(str(error)) from None
        except PositionGone as error:
            raise _gone(error, connection) from None
    moment = parse_from(text, zone)
    if moment is None or moment > nowutc():
        raise UnknownResource("There is nothing yet at that time")
    return Instance(number_at(moment), is_exact=False)


def _gone(error: PositionGone, connection: Connection) -> RequestException:
    tokens = tokens_of(connection)
    oldest = snapshot_of(connection) if error.oldest is None else error.oldest
    return GonePosition(str(error), tokens.of(oldest))
