"""Bearer tokens with scopes; only their digests are kept (reference, API Token Authentication)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.auth.usage import Usage
from export.errors import CredentialException
from export.people.secret import digest, random_text
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of

PREFIX = "indp_"
LENGTH = 42
DIGEST = re.compile("[0-9A-Fa-f]{64}")

SCOPES = {
    "full:everything": "Everything (all methods)",
    "read:everything": "Everything (only GET)",
    "read:legacy_api": "Classic API (read only)",
    "write:legacy_api": "Classic API (write only)",
    "registrants": "Event registrants",
    "tasks": "Tasks (enqueue, and read one's own)",
    "read:user": "User information (read only)",
}
"""The scopes of tokens by id. Everything does not include the classic API, that is /export/ and
the addresses of /api/ that are documented with it."""


class ApiToken(Persistent):
    """A token: its user, name and scopes. Its use is stored apart."""

    def __init__(self, user: str, name: str, scopes: frozenset[str], digested: str) -> None:
        self.user = user
        self.name = name
        self.scopes = scopes
        self.digest = digested
        self.created = nowutc()
        self.blocked = False
        self.revoked: datetime | None = None
        self.usage = Usage()

    @property
    def id(self) -> str:
        """The id that the command line shows: the beginning of the digest."""
        return self.digest[:12]

    @property
    def is_valid(self) -> bool:
        """Whether it still opens anything."""
        return not self.blocked and self.revoked is None


class ApiTokens(Persistent):
    """All tokens, revoked ones too. Creating several at a time merges."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()

    def __iter__(self) -> Iterator[ApiToken]:
        return iter(self._by_digest.values())

    def create(
        self, user: str, name: str, scopes: Iterable[str], text: str = "", digested: str = ""
    ) -> tuple[ApiToken, str]:
        """Make a token for *user*; return it with its text, which is shown this once only.

        A token of another installation is taken over by its *text*, or where that is not known
        by its SHA-256 *digested*. Raises CredentialException where *user* has a token of that
        name, whatever the case, for no or unknown scopes, and for a token that is there already.
        """
        wanted = frozenset(scopes)
        unknown = sorted(wanted - SCOPES.keys())
        if unknown or not wanted:
            what = f"unknown scope {unknown[0]!r}" if unknown else "a token needs a scope"
            raise CredentialException(f"{what}; there are {', '.join(SCOPES)}")
        if not name.strip():
            raise CredentialException("a token needs a name, to be told from others")
        if any(token.name.casefold() == name.casefold() for token in self.of(user)):
            raise CredentialException(f"{user!r} has a token {name!r} already")
        if digested and not DIGEST.fullmatch(digested):
            raise CredentialException("a digest is a SHA-256 in hexadecimal: 64 digits")
        text = text or PREFIX + random_text(LENGTH)
        token = ApiToken(user, name, wanted, digested.lower() or digest(text))
        if token.digest in self._by_digest:
            raise CredentialException(f"this token is there already, with the id {token.id}")
        self._by_digest[token.digest] = token
        return token, text

    def reset(self, token: ApiToken) -> str:
        """Give *token* another text and return it; the old one opens nothing any more."""
        text = PREFIX + random_text(LENGTH)
        del self._by_digest[token.digest]
        token.digest = digest(text)
        self._by_digest[token.digest] = token
        return text

    def revoke(self, token: ApiToken) -> None:
        """End *token* for ever; it is kept to tell by whom and when it was used."""
        token.revoked = token.revoked or nowutc()

    def find(self, text: str) -> ApiToken | None:
        """Return the token of that text, or None."""
        return self.lookup(digest(text))

    def lookup(self, digested: str) -> ApiToken | None:
        """Return the token whose text has that digest, or None."""
        found: ApiToken | None = self._by_digest.get(digested)
        return found

    def of(self, user: str) -> list[ApiToken]:
        """Return the tokens of *user* that are not revoked."""
        return [token for token in self if token.user == user and token.revoked is None]


SCHEMA = Schema("tokens", 1, ApiTokens)


def tokens(connection: Connection | Persistent | None = None) -> ApiTokens:
    """Return the tokens of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
