"""The caller's own user: `GET /api/user/` (reference, "Scopes")."""

from __future__ import annotations

from export.auth import caller
from export.http.question import Question
from export.http.result import Bare
from export.people.user import users
from export.resource import ANYTHING, Resource, modern_refusal
from export.resources.user import is_admin


def answer(question: Question) -> Bare:
    """Return what is known of the caller; null for somebody unknown."""
    user = question.user
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


RESOURCE = Resource(
    "own_user",
    ("/api/user", "/api/user/"),
    answer,
    ANYTHING | {"read:user", "read:everything"},
    door=caller.modern,
    refusal=modern_refusal,
)
