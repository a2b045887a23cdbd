"""The member `allowed`: users and groups that may see a restricted object, for its managers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from export.people.group import Group
from export.people.user import users


def allowed(obj: Any) -> dict[str, list[str]]:
    """Return who may see a restricted object: users by their address, or id, and groups."""
    listed = sorted(set(_named(obj)), key=str) if obj.hasAnyProtection() else []
    return {
        "users": [users().address_of(one) for one in listed if not isinstance(one, Group)],
        "groups": [one.id for one in listed if isinstance(one, Group)],
    }


def _named(obj: Any) -> Iterator[Any]:
    """Yield who is named by the rules that hold; managers of the root are not told of anything."""
    inherits = True
    while obj is not None:
        guard = obj.getGuard()
        if guard is not None:
            yield from obj.getManagerList()
        if inherits:
            yield from obj.getAllowedToAccessList()
        inherits = inherits and not obj.getAccessProtectionLevel()
        obj = guard
