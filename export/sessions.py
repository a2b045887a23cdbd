"""Sessions of browsers: a cookie says who it is, a token of its own that they want it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.secret import digest, random_text
from scheduler.clock import nowutc
from scheduler.store import Branch, connection_of

COOKIE = "indico_session"
LIFETIME = timedelta(hours=12)
LENGTH = 42
SWEPT = 20
"""How many sessions that have ended are removed when one begins."""


class Session(Persistent):
    """Who is logged in, with the token that shows that a page of this site asks."""

    def __init__(self, user: str, digested: str) -> None:
        self.user = user
        self.digest = digested
        self.csrf_token = str(uuid.uuid4())
        self.ends: datetime = nowutc() + LIFETIME


class Sessions(Persistent):
    """All sessions, by the digests of their cookies. Several that begin at a time merge."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()
        self._by_end = OOBTree()

    def begin(self, user: str) -> tuple[Session, str]:
        """Log *user* in; return the session and its cookie's value."""
        self._sweep()
        text = random_text(LENGTH)
        session = Session(user, digest(text))
        self._by_digest[session.digest] = session
        self._by_end[session.ends, session.digest] = session
        return session, text

    def end(self, session: Session) -> None:
        """Log the user of *session* out."""
        self._by_digest.pop(session.digest, None)
        self._by_end.pop((session.ends, session.digest), None)

    def find(self, text: str) -> Session | None:
        """Return the session that the cookie's value *text* opens, or None."""
        session: Session | None = self._by_digest.get(digest(text))
        return session if session is not None and session.ends > nowutc() else None

    def _sweep(self) -> None:
        ended = self._by_end.values(max=(nowutc(), ""))
        for session in list(ended)[:SWEPT]:
            self.end(session)


BRANCH = Branch("sessions", 1, Sessions)


def sessions(connection: Connection | Persistent | None = None) -> Sessions:
    """Return the sessions of *connection*'s database; of the current one's for None."""
    return BRANCH.get(connection_of(connection))
