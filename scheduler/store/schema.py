"""The schema: everything is stored below one root key, with a versioned layout for each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import Connection
from ZODB.utils import z64

from scheduler.errors import SchemaTooNew
from scheduler.storage.internals import has_joined
from scheduler.store.observed import ROOT_KEY, adopt
from scheduler.store.transact import transact

_NOTHING: tuple[None, Any] = (None, None)

Stored = TypeVar("Stored", bound=Persistent)
Upgrade = Callable[[Any], None]


@dataclass(frozen=True)
class Schema(Generic[Stored]):
    """The root object of one part of the product, with the version of its layout.

    `create` makes the fresh object; `upgrades[n]` changes an object of version n, in place,
    into one of version n + 1.
    """

    name: str
    version: int
    create: Callable[[], Stored]
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def get(self, connection: Connection) -> Stored:
        """Return the stored object; create or upgrade it first if that is due.

        That is a transaction of its own, as the creation of a table, so that first users do not
        conflict; if *connection* has changes already, it belongs to those.
        Raises SchemaTooNew for a layout of a later version.
        """
        version, stored = self._stored(connection)
        if version == self.version:
            return stored
        self._refuse_newer(version)
        self._make_ready(connection)
        return self._stored(connection)[1]

    def exists(self, connection: Connection) -> bool:
        """Return whether the object was ever created."""
        return self._stored(connection) is not _NOTHING

    def expect_none(self, connection: Connection) -> None:
        """Make the commit of *connection* conflict if another creates the object before it."""
        root = connection.root()
        connection.readCurrent(root.get(ROOT_KEY, root))

    def _stored(self, connection: Connection) -> tuple[int | None, Stored]:
        adopt(connection)
        # The root by its id: `connection.root()` makes an object for each of these many calls.
        parts = connection.get(z64).get(ROOT_KEY)
        entry = parts and parts.get(self.name)
        return entry or _NOTHING

    def _refuse_newer(self, version: int | None) -> None:
        if version is not None and version > self.version:
            raise SchemaTooNew(
                f"the schema {self.name!r} of this database has version {version}, this "
                f"software knows versions up to {self.version}: install the release that wrote "
                "it, or a later one"
            )

    def _make_ready(self, connection: Connection) -> None:
        if has_changes(connection) or connection.isReadOnly():
            self._create_or_upgrade(connection)
            return
        transact(connection.db(), self._create_or_upgrade, note=f"prepare {self.name}")
        # Nothing was changed here yet, so the snapshot may move on to where the object exists.
        connection.newTransaction(None)

    def _create_or_upgrade(self, connection: Connection) -> None:
        if self._stored(connection)[0] == self.version:
            return
        parts = connection.root().setdefault(ROOT_KEY, PersistentMapping())
        if self.name not in parts:
            parts[self.name] = (self.version, self.create())
            return
        version, stored = parts[self.name]
        for step in range(version, self.version):
            self.upgrades[step](stored)
        parts[self.name] = (self.version, stored)


def has_changes(connection: Connection) -> bool:
    """Return whether something was changed in the current transaction of *connection*."""
    return has_joined(connection)
