"""A user: `/export/user/ID` (reference 5.3.7)."""

from __future__ import annotations

from export.errors import RefusedRequest, UnknownResource
from export.fossilize import fossilize
from export.fossils.user import IAvatarFossil
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import COMMON
from export.model.catalogue import catalogue
from export.people.user import users
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml")


def answer(question: Question) -> ResultPage:
    """Return a user, to themselves and to administrators."""
    user = question.user
    if user is None:
        raise RefusedRequest("You need to be logged in")
    question.selection  # noqa: B018 (it is checked)
    wanted = users().find(question.arguments["user"])
    if wanted is None:
        raise UnknownResource("Requested user not found")
    if user != wanted.id and not is_admin(user):
        raise RefusedRequest("You do not have access to that info")
    return ResultPage([fossilize(wanted, IAvatarFossil)])


def is_admin(user: str) -> bool:
    """Say whether *user* may change everything: whoever manages the root category."""
    return catalogue().root.canModify(user)


RESOURCE = Resource(
    "user",
    ("/export/user/<digits:user>.<word:format>",),
    answer,
    formats=FORMATS,
    parameters=COMMON,
    shows=IAvatarFossil,
)
