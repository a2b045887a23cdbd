"""Sessions of browsers: a cookie says who it is, a token of its own that they want it."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.people.secret import digest, random_text
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of

COOKIE = "indico_session"
LIFETIME = timedelta(hours=12)
LENGTH = 42
SWEPT = 20
"""How many sessions that have ended are removed when one begins."""


class BrowserSession(Persistent):
    """A user's login, with the stamp of the password that it was made with; it never changes."""

    def __init__(self, user: str, digested: str, stamp: str) -> None:
        self.user = user
        self.digest = digested
        self.stamp = stamp
        self.ends: datetime = nowutc() + LIFETIME


class BrowserSessions(Persistent):
    """All sessions, by the digests of their cookies. Several that begin at a time merge."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()
        self._by_end = OOBTree()

    def begin(self, user: str, stamp: str) -> tuple[BrowserSession, str]:
        """Log *user* in, whose password has that *stamp*; return the session and its cookie."""
        self._sweep()
        text = random_text(LENGTH)
        session = BrowserSession(user, digest(text), stamp)
        self._by_digest[session.digest] = session
        self._by_end[session.ends, session.digest] = session
        return session, text

    def end(self, session: BrowserSession) -> None:
        """Log the user of *session* out."""
        self._by_digest.pop(session.digest, None)
        self._by_end.pop((session.ends, session.digest), None)

    def end_all(self) -> None:
        """Log all users out."""
        for session in list(self._by_digest.values()):
            self.end(session)

    def find(self, text: str) -> BrowserSession | None:
        """Return the session that the cookie's value *text* opens, or None."""
        session: BrowserSession | None = self._by_digest.get(digest(text))
        return session if session is not None and session.ends > nowutc() else None

    def _sweep(self) -> None:
        ended = self._by_end.values(max=(nowutc(), ""))
        for session in list(ended)[:SWEPT]:
            self.end(session)


def csrf_token_of(cookie: str) -> str:
    """Return the token that shows that a page of this site asks in the session of *cookie*.

    It follows from the cookie, of which only a digest is kept: it is stored nowhere.
    """
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


# Sessions of the first layout have no stamp of the password that they began with: they end.
SCHEMA = Schema("sessions", 2, BrowserSessions, {1: BrowserSessions.end_all})


def sessions(connection: Connection | Persistent | None = None) -> BrowserSessions:
    """Return the sessions of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
