"""Access rules: who may see and change an object. Without a rule its owner's counts.

A user is named by a text, as API keys name them; None is somebody unknown. Lists may name groups.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from persistent import Persistent

from export.fossilize import Fossilizable
from export.model.listeners import announce
from export.people.group import Principal, is_among


class Protection(IntEnum):
    """Whom an object is open to."""

    PUBLIC = -1
    INHERITING = 0
    RESTRICTED = 1


class Protected(Persistent, Fossilizable):
    """An object of the catalogue with an owner and an access rule.

    Two transactions that change the same object conflict; the later one is done again.
    """

    STANDS_ALONE = False
    """Whether such an object may be in the catalogue without an owner."""

    _owner: Any = None
    _protection = Protection.INHERITING
    _allowed: frozenset[Principal] = frozenset()
    _managers: frozenset[Principal] = frozenset()
    _domains: frozenset[str] = frozenset()

    def getOwner(self) -> Any:
        """Return the object that this one is in; None for the root, and for what was removed."""
        return self._owner

    def getGuard(self) -> Any:
        """Return the object whose rule holds where this one has none: its owner."""
        return self._owner

    def setOwner(self, owner: Any) -> None:
        """Take *owner* for the object that this one is in; only the owner calls this."""
        self._owner = owner

    def getAccessProtectionLevel(self) -> int:
        """Return this object's own Protection."""
        return int(self._protection)

    def setProtection(self, level: int) -> None:
        """Open or close this object, or (0) leave that to its owner."""
        old, new = self._protection, Protection(level)
        if old != new:
            self._protection = new
            self.announce_change("protectionChanged", int(old), int(new))

    def isProtected(self) -> bool:
        """Return whether this object is not open to everybody, by its own rule or its owner's."""
        if self._protection is not Protection.INHERITING:
            return self._protection is Protection.RESTRICTED
        guard = self.getGuard()
        return guard is not None and bool(guard.isProtected())

    def hasAnyProtection(self) -> bool:
        """Return whether anything keeps anybody from seeing this object."""
        return self.isProtected() or bool(self.getDomainList())

    def getDomainList(self) -> list[str]:
        """Return the domains that this object is open to, by its own rule or its owner's.

        Nobody is known to be in one here: only those who are named see what has any.
        """
        if self._domains or self._protection is not Protection.INHERITING:
            return sorted(self._domains)
        guard = self.getGuard()
        return list(guard.getDomainList()) if guard is not None else []

    def getAllowedToAccessList(self) -> list[Principal]:
        """Return the users and groups that may see this object while it is restricted."""
        return sorted(self._allowed, key=str)

    def getManagerList(self) -> list[Principal]:
        """Return the users and groups that may change this object by its own rule."""
        return sorted(self._managers, key=str)

    def getRecursiveAllowedToAccessList(self) -> list[Principal]:
        """Return all who may see this object, by its rule or one above; nobody if it is open."""
        return sorted(self.admitted(), key=str) if self.hasAnyProtection() else []

    def admitted(self) -> frozenset[Principal]:
        """Return who may see this object while it is restricted."""
        guard = self.getGuard()
        if guard is None:
            return self._allowed | self._managers
        inherits = self._protection is Protection.INHERITING
        above: frozenset[Principal] = guard.admitted() if inherits else guard.trusted()
        return self._allowed | self._managers | above

    def trusted(self) -> frozenset[Principal]:
        """Return who may change this object."""
        guard = self.getGuard()
        return self._managers | (guard.trusted() if guard is not None else frozenset())

    def canAccess(self, user: str | None) -> bool:  # noqa: N802 (documented name)
        """Return whether *user* may see this object."""
        if self.canModify(user) or is_among(user, self._allowed):
            return True
        if self._domains or self._protection is not Protection.INHERITING:
            return self._protection is Protection.PUBLIC and not self._domains
        guard = self.getGuard()
        return guard is None or bool(guard.canAccess(user))

    def canModify(self, user: str | None) -> bool:  # noqa: N802 (documented name)
        """Return whether *user* may change this object or one that it is in."""
        return is_among(user, self.trusted())

    def grant_access(self, who: Principal) -> None:
        """Grant *who* access to this object."""
        if who not in self._allowed:
            self._allowed |= {who}
            self.announce_change("accessGranted", who)

    def revoke_access(self, who: Principal) -> None:
        """Revoke this object's own grant of access to *who*; others may still grant it."""
        if who in self._allowed:
            self._allowed -= {who}
            self.announce_change("accessRevoked", who)

    def grant_modification(self, who: Principal) -> None:
        """Grant *who* modification of this object and of its parts."""
        if who not in self._managers:
            self._managers |= {who}
            self.announce_change("modificationGranted", who)

    def revoke_modification(self, who: Principal) -> None:
        """Revoke this object's own grant of modification to *who*; others may still grant it."""
        if who in self._managers:
            self._managers -= {who}
            self.announce_change("modificationRevoked", who)

    def require_domain(self, domain: str) -> None:
        """Open this object to those in *domain* only, and to who is named."""
        if domain not in self._domains:
            self._domains |= {domain}
            self.announce_change("accessDomainAdded", domain)

    def free_domain(self, domain: str) -> None:
        """Do not open this object to *domain* any more; with none left it is open to all."""
        if domain in self._domains:
            self._domains -= {domain}
            self.announce_change("accessDomainRemoved", domain)

    def announce_change(self, change: str, *args: Any) -> None:
        """Announce a *change* of this object, if it is in the catalogue."""
        if self.is_listed():
            announce(change, self, *args)

    def is_listed(self) -> bool:
        """Say whether this object is in the catalogue, with all that it is a part of."""
        return self.STANDS_ALONE or (self._owner is not None and self._owner.is_listed())
