"""API keys with their secrets (reference 5.1.2)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CredentialException
from export.secret import digest
from export.usage import Usage
from scheduler.clock import nowutc
from scheduler.store import Branch, connection_of


class ApiKey(Persistent):
    """A user's key with its secret; both are random UUIDs. How it is used is kept apart."""

    def __init__(self, user: str, persistent_allowed: bool = False) -> None:
        self.user = user
        self.key = str(uuid.uuid4())
        self.secret = str(uuid.uuid4())
        self.created = nowutc()
        self.persistent_allowed = persistent_allowed
        self.blocked = False
        self.old_keys: tuple[str, ...] = ()
        self.usage = Usage()

    @property
    def digest(self) -> str:
        """What the key is looked up by."""
        return digest(self.key)


class KeyRing(Persistent):
    """All keys; a user has one. Creating keys of different users merges."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()
        self._by_user = OOBTree()

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._by_user.values())

    def create(self, user: str, persistent_allowed: bool = False) -> ApiKey:
        """Make a key for *user*; the one they had is valid no more.

        Raises CredentialException while that one is blocked.
        """
        key = ApiKey(user, persistent_allowed)
        old = self._by_user.get(user)
        if old is not None:
            if old.blocked:
                raise CredentialException(
                    f"the key of {user!r} is blocked: unblock or revoke it first"
                )
            key.old_keys = (*old.old_keys, old.key)
            self.revoke(old)
        self._by_digest[digest(key.key)] = self._by_user[user] = key
        return key

    def revoke(self, key: ApiKey) -> None:
        """Forget *key*; nobody can use it any more."""
        del self._by_digest[digest(key.key)]
        del self._by_user[key.user]

    def find(self, text: str) -> ApiKey | None:
        """Return the key of that text, or None."""
        return self.lookup(digest(text))

    def lookup(self, digested: str) -> ApiKey | None:
        """Return the key whose text has that digest, or None."""
        found: ApiKey | None = self._by_digest.get(digested)
        return found

    def of(self, user: str) -> ApiKey | None:
        """Return the key of *user*, or None."""
        found: ApiKey | None = self._by_user.get(user)
        return found


BRANCH = Branch("apikeys", 1, KeyRing)


def key_ring(connection: Connection | Persistent | None = None) -> KeyRing:
    """Return the keys of *connection*'s database; of the current one's for None."""
    return BRANCH.get(connection_of(connection))
