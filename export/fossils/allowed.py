"""Who may see a restricted object, as its managers are told."""

from __future__ import annotations

from typing import Any

from export.model.group import Group
from export.model.user import users


def allowed(obj: Any) -> dict[str, list[str]]:
    """Return who may see a restricted object: users by their address, or id, and groups."""
    listed = obj.getRecursiveAllowedToAccessList()
    return {
        "users": [users().address_of(one) for one in listed if not isinstance(one, Group)],
        "groups": [one.id for one in listed if isinstance(one, Group)],
    }
