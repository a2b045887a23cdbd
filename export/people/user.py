"""Users, as API keys and access lists name them by their id."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from secrets import token_hex
from typing import Any

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from export.fossilize import Fossilizable
from export.people.secret import digest
from scheduler.store import Schema, connection_of
from scheduler.values.extras import extra_needed


class Avatar(Persistent, Fossilizable):
    """A user; `login` is how other systems name them.

    Two transactions that change the same user conflict; the later one is done again.
    """

    title: str = ""
    affiliation: str = ""
    phone: str = ""
    fax: str = ""
    address: str = ""
    blocked: bool = False
    """Whether keys, tokens and passwords of the user open nothing."""

    _password: str = ""

    favorites: tuple[str, ...] = ()
    """The ids of categories that the user wants to find quickly."""

    def __init__(
        self, id: str, first_name: str = "", family_name: str = "", email: str = "", login: str = ""
    ) -> None:
        self.id = str(id)
        self.first_name = first_name
        self.family_name = family_name
        self.email = email
        self.login = login or self.id

    def set_password(self, password: str) -> None:
        """Set the password of the user's login; only its salted hash is stored."""
        self._password = _hashing().generate_password_hash(password)

    @property
    def password_hash(self) -> str:
        """The salted hash of the password; "" without one."""
        return self._password

    @property
    def password_stamp(self) -> str:
        """A digest that changes with the password and reveals nothing of it."""
        return digest(self._password)

    def getId(self) -> str:
        """Return the id."""
        return self.id

    def getName(self) -> str:
        """Return the name as it is spoken, the family name in capitals."""
        return f"{self.first_name} {self.family_name.upper()}".strip()

    def getFullName(self) -> str:
        """Return the name as lists show it: the family name in capitals, the first name."""
        return ", ".join(part for part in (self.family_name.upper(), self.first_name) if part)


class Users(Persistent):
    """All users, by id and by login. Adding different users merges."""

    _removed: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._by_id = OOBTree()
        self._by_login = OOBTree()

    def add(self, user: Avatar) -> None:
        """Take *user* in. Raises CatalogueException where the id or the login is taken.

        The id of somebody who was removed is: lists and keys still name it.
        """
        if user.id in self._by_id or user.login in self._by_login or user.id in self._removed:
            raise CatalogueException(f"there is a user {user.id} or a login {user.login} already")
        self._by_id[user.id] = self._by_login[user.login] = user

    def remove(self, user: Avatar) -> None:
        """Forget *user*, whose keys, tokens and sessions open nothing more."""
        self._removed |= {user.id}
        del self._by_id[user.id]
        del self._by_login[user.login]

    def find(self, user_id: str) -> Avatar | None:
        """Return the user of that id, or None."""
        found: Avatar | None = self._by_id.get(user_id)
        return found

    def is_shut_out(self, user_id: str) -> bool:
        """Say whether keys, tokens and sessions of that user open nothing."""
        user = self.find(user_id)
        return user_id in self._removed if user is None else user.blocked

    def address_of(self, user_id: str) -> str:
        """Return the e-mail address of that user; the id itself where none is known."""
        user = self.find(user_id)
        return (user.email if user is not None else "") or user_id

    def __iter__(self) -> Iterator[Avatar]:
        return iter(self._by_id.values())

    def authenticate(self, login: str, password: str) -> Avatar | None:
        """Return the user of *login* if that is their password; it takes the same time if not."""
        user = self.find_by_login(login)
        kept = user.password_hash if user is not None else ""
        is_right = _hashing().check_password_hash(kept or _nobodys(), password)
        return user if user is not None and kept and is_right and not user.blocked else None

    def find_by_login(self, login: str) -> Avatar | None:
        """Return the user of that login, or None."""
        found: Avatar | None = self._by_login.get(login)
        return found


@cache
def _nobodys() -> str:
    """Return the hash of a password that nobody has."""
    hashed: str = _hashing().generate_password_hash(token_hex())
    return hashed


def _hashing() -> Any:
    # Imported only where it is asked for: users can be read where the extra is not installed.
    with extra_needed():
        return import_module("werkzeug.security")


SCHEMA = Schema("users", 1, Users)


def users(connection: Connection | Persistent | None = None) -> Users:
    """Return the users of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))
