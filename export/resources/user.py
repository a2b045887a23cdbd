"""A user: `/export/user/ID` (reference 5.3.7)."""

from __future__ import annotations

import re

from export.errors import RefusedRequest, UnknownResource
from export.fossilize import fossilize
from export.fossils.user import IAvatarFossil
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.model.catalogue import catalogue
from export.people.user import users
from export.settings import ExportSettings

PATTERN = re.compile(r"/export/user/(?P<user>\d+)\.(?P<format>\w+)", re.ASCII)
FORMATS = ("json", "jsonp", "xml")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the user that *match* names, to themselves and to administrators.

    Raises RequestException.
    """
    if user is None:
        raise RefusedRequest("You need to be logged in")
    select(request, {}, None, settings.zone)
    wanted = users().find(match["user"])
    if wanted is None:
        raise UnknownResource("Requested user not found")
    if user != wanted.id and not is_admin(user):
        raise RefusedRequest("You do not have access to that info")
    return ResultPage([fossilize(wanted, IAvatarFossil)])


def is_admin(user: str) -> bool:
    """Say whether *user* may change everything: whoever manages the root category."""
    return catalogue().root.canModify(user)
