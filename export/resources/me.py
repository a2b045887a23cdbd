"""The caller's own user: `GET /api/user/` (reference, "Scopes")."""

from __future__ import annotations

import re

from export.http.request import ExportRequest
from export.http.result import Bare
from export.people.user import users
from export.resources.user import is_admin
from export.settings import ExportSettings

PATTERN = re.compile(r"/api/user/?")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> Bare:
    """Return what is known of *user*; null for somebody unknown."""
    if user is None:
        return Bare(None)
    known = users().find(user)
    return Bare(
        {
            "id": int(user) if user.isdecimal() else user,
            "email": known.email if known is not None else "",
            "first_name": known.first_name if known is not None else "",
            "last_name": known.family_name if known is not None else "",
            "admin": is_admin(user),
        }
    )
