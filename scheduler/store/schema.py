"""The root of everything this software stores: one key, with a versioned branch for each part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import Connection
from ZODB.utils import z64

from scheduler.errors import SchemaTooNew
from scheduler.store.moved import install
from scheduler.store.transact import transact

ROOT_KEY = "relay"

_NOTHING: tuple[None, Any] = (None, None)

Trunk = TypeVar("Trunk", bound=Persistent)
Upgrade = Callable[[Any], None]


@dataclass(frozen=True)
class Schema(Generic[Trunk]):
    """One part's place under the root, with the version of its layout.

    `plant` makes the fresh object; `upgrades[n]` changes an object of version n, in place,
    into one of version n + 1.
    """

    name: str
    version: int
    plant: Callable[[], Trunk]
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def get(self, connection: Connection) -> Trunk:
        """Return the branch's object, made or upgraded when that is due.

        Making it is a transaction of its own, like creating a table, so that first users
        do not conflict; where *connection* has changes already, it belongs to those.
        Raises SchemaTooNew for a layout of a later version.
        """
        version, trunk = self._stored(connection)
        if version == self.version:
            return trunk
        self._refuse_newer(version)
        self._make_ready(connection)
        return self._stored(connection)[1]

    def is_planted(self, connection: Connection) -> bool:
        """Say whether the branch's object was ever made."""
        return self._stored(connection) is not _NOTHING

    def expect_none(self, connection: Connection) -> None:
        """Let the commit of *connection* conflict if the branch's object is made before it."""
        root = connection.root()
        connection.readCurrent(root.get(ROOT_KEY, root))

    def _stored(self, connection: Connection) -> tuple[int | None, Trunk]:
        install(connection.db())
        # The root by its id: `connection.root()` makes an object for each of these many calls.
        branches = connection.get(z64).get(ROOT_KEY)
        entry = branches and branches.get(self.name)
        return entry or _NOTHING

    def _refuse_newer(self, version: int | None) -> None:
        if version is not None and version > self.version:
            raise SchemaTooNew(
                f"the branch {self.name!r} of this database has layout version {version}, this "
                f"software knows versions up to {self.version}: install the release that wrote "
                "it, or a later one"
            )

    def _make_ready(self, connection: Connection) -> None:
        if has_changes(connection) or connection.isReadOnly():
            self._grow(connection)
            return
        transact(connection.db(), self._grow, note=f"prepare {self.name}")
        # Nothing was changed here yet, so the snapshot may move on to where the branch exists.
        connection.newTransaction(None)

    def _grow(self, connection: Connection) -> None:
        if self._stored(connection)[0] == self.version:
            return
        branches = connection.root().setdefault(ROOT_KEY, PersistentMapping())
        if self.name not in branches:
            branches[self.name] = (self.version, self.plant())
            return
        version, trunk = branches[self.name]
        for step in range(version, self.version):
            self.upgrades[step](trunk)
        branches[self.name] = (self.version, trunk)


def has_changes(connection: Connection) -> bool:
    """Say whether something was changed in the current transaction of *connection*."""
    return not connection._needs_to_join
