"""Feeds: persistent addresses, each with a key of its own that opens nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.auth.usage import Usage
from export.errors import CredentialException
from export.people.secret import digest
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of
from scheduler.store.encryption import resealed, seal, unseal

PARAMETER = "ak"
CREDENTIALS = {PARAMETER, "apikey", "signature", "timestamp"}


class Feed(Persistent):
    """An address that its user's calendar program follows, and the key in it.

    Nothing of it changes but the sealed key, and that in one transaction for all: feeds never
    conflict. How it is used is kept apart.
    """

    def __init__(self, user: str, address: str) -> None:
        text = str(uuid.uuid4())
        self.user = user
        self.place, self.path, self.query = _read(address)
        self.digest = digest(text)
        self._key = seal(text)
        self.created = nowutc()
        self.usage = Usage()

    @property
    def id(self) -> str:
        """The name of the feed for people: the beginning of its key's digest."""
        return self.digest[:12]

    @property
    def key(self) -> str:
        """The key. Raises SecretUnreadable without the key that it is encrypted with."""
        return unseal(self._key)

    @property
    def address(self) -> str:
        """The address with its key; of this server, where it was made without another's name."""
        return f"{self.place}?{'&'.join(filter(None, (self.query, f'{PARAMETER}={self.key}')))}"

    @property
    def shown_address(self) -> str:
        """The address without its key."""
        return f"{self.place}?{self.query}" if self.query else self.place

    def is_at(self, path: str, query: str) -> bool:
        """Say whether a request for *path* with *query* is one for this address."""
        return path == self.path and _pairs(query) == _pairs(self.query)

    def reseal(self) -> None:
        """Encrypt the key with the installation's present one."""
        sealed = resealed(self._key)
        if sealed != self._key:
            self._key = sealed


class Feeds(Persistent):
    """All feeds by the digests of their keys. Creating several at a time merges."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()

    def __iter__(self) -> Iterator[Feed]:
        return iter(self._by_digest.values())

    def create(self, user: str, address: str) -> Feed:
        """Make a key for *user* that opens *address* only, `/export/...` or all of a URL.

        Raises CredentialException for an address that is none of the export, or has a key.
        """
        feed = Feed(user, address)
        self._by_digest[feed.digest] = feed
        return feed

    def revoke(self, feed: Feed) -> None:
        """Forget *feed*; its address opens nothing any more."""
        del self._by_digest[feed.digest]

    def find(self, text: str) -> Feed | None:
        """Return the feed with the key *text*, or None."""
        return self.lookup(digest(text))

    def lookup(self, digested: str) -> Feed | None:
        """Return the feed whose key has that digest, or None."""
        found: Feed | None = self._by_digest.get(digested)
        return found


def _read(address: str) -> tuple[str, str, str]:
    """Return *address* without its query, its decoded path, and its query."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise CredentialException(f"{address!r} is no address: {error}") from None
    if not parts.path.startswith("/export/") or parts.fragment:
        raise CredentialException(
            f"{address!r} is no address of the export: give one such as "
            "/export/categ/2.ics?from=-7d, or all of its URL"
        )
    named = sorted(name for name, _ in parse_qsl(parts.query) if name.lower() in CREDENTIALS)
    if named:
        raise CredentialException(
            f"the address has {named[0]!r} already: give it without; the feed gets a key of its own"
        )
    host = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    path = unquote(parts.path)
    return f"{host}{quote(path)}", path, parts.query


def _pairs(query: str) -> list[tuple[str, str]]:
    return sorted(pair for pair in parse_qsl(query) if pair[0] not in {PARAMETER, "apikey"})


SCHEMA = Schema("feeds", 1, Feeds)


def feeds(connection: Connection | Persistent | None = None) -> Feeds:
    """Return the feeds of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
