"""API keys with their secrets (reference 5.1.2)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.auth.usage import Usage
from export.errors import CredentialException
from export.people.secret import digest
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of
from scheduler.store.encryption import resealed, seal, unseal

HEXADECIMAL = re.compile("[0-9a-fA-F]{32}")


class ApiKey(Persistent):
    """A user's key with its secret: random UUIDs, or those of another installation.

    The key is looked up by its digest, which is all that is kept of it; its text is `key` of the
    fresh object only. The secret is needed to check signatures. How it is used is kept apart.
    """

    _v_key = ""

    def __init__(
        self, user: str, persistent_allowed: bool = False, key: str = "", secret: str = ""
    ) -> None:
        self.user = user
        self._v_key = key or str(uuid.uuid4())
        self.digest = digest(self._v_key)
        self.hint = _hint(self._v_key)
        self._secret = seal(secret or str(uuid.uuid4()))
        self.created = nowutc()
        self.persistent_allowed = persistent_allowed
        self.blocked = False
        self.old_keys: tuple[str, ...] = ()
        self.usage = Usage()

    @property
    def key(self) -> str:
        """The text of a key that was made just now; of any other one, its beginning."""
        return self._v_key or self.hint

    @property
    def secret(self) -> str:
        """The secret. Raises SecretUnreadable without the key that it is encrypted with."""
        return unseal(self._secret)

    def reseal(self) -> None:
        """Encrypt the secret with the installation's present key."""
        sealed = resealed(self._secret)
        if sealed != self._secret:
            self._secret = sealed


class KeyRing(Persistent):
    """All keys; a user has one. Creating keys of different users merges."""

    def __init__(self) -> None:
        self._by_digest = OOBTree()
        self._by_user = OOBTree()

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._by_user.values())

    def create(
        self, user: str, persistent_allowed: bool = False, key: str = "", secret: str = ""
    ) -> ApiKey:
        """Make a key for *user*; the one they had is valid no more.

        *key* and *secret* are taken over where they are given, both random otherwise. Raises
        CredentialException while the old one is blocked, and where another user has *key*.
        """
        made = ApiKey(user, persistent_allowed, key, secret)
        other = self.lookup(made.digest)
        if other is not None and other.user != user:
            raise CredentialException(f"this key is that of {other.user!r}: revoke it there first")
        old = self._by_user.get(user)
        if old is not None:
            if old.blocked:
                raise CredentialException(
                    f"the key of {user!r} is blocked: unblock or revoke it first"
                )
            made.old_keys = tuple(dict.fromkeys((*old.old_keys, old.digest)))
            self.revoke(old)
        self._by_digest[made.digest] = self._by_user[user] = made
        return made

    def revoke(self, key: ApiKey) -> None:
        """Forget *key*; nobody can use it any more."""
        del self._by_digest[key.digest]
        del self._by_user[key.user]

    def find(self, text: str) -> ApiKey | None:
        """Return the key of that text, with or without the dashes of a UUID, or None."""
        return next(filter(None, map(self.lookup, map(digest, _spellings(text)))), None)

    def lookup(self, digested: str) -> ApiKey | None:
        """Return the key whose text has that digest, or None."""
        found: ApiKey | None = self._by_digest.get(digested)
        return found

    def of(self, user: str) -> ApiKey | None:
        """Return the key of *user*, or None."""
        found: ApiKey | None = self._by_user.get(user)
        return found


def _spellings(text: str) -> tuple[str, ...]:
    """Return *text*, and a UUID also with its dashes, or without them."""
    plain = text.replace("-", "")
    if not HEXADECIMAL.fullmatch(plain):
        return (text,)
    return tuple(dict.fromkeys((text, str(uuid.UUID(plain)), plain)))


def _hint(text: str) -> str:
    """Return so much of a key that people recognize it, and nobody can guess it."""
    return f"{text[: min(8, len(text) // 4)]}..."


def _forget_texts(ring: KeyRing) -> None:
    """Keep digests of the keys that were kept as texts, and the secrets as they are kept now."""
    for key in ring:
        key._p_activate()
        state = key.__dict__
        text = state.pop("key")
        state["_secret"] = seal(state.pop("secret"))
        key.digest, key.hint = digest(text), _hint(text)
        key.old_keys = tuple(map(digest, key.old_keys))
        key.usage.mask()


SCHEMA = Schema("apikeys", 2, KeyRing, {1: _forget_texts})


def key_ring(connection: Connection | Persistent | None = None) -> KeyRing:
    """Return the keys of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
