"""What can be asked for: one module for each WHAT, with its PATTERN, FORMATS and answer."""

from functools import partial
from typing import Any

from export import auth
from export.resources import (
    booking,
    categ,
    contribution,
    event,
    files,
    login,
    me,
    registrant,
    registrants,
    reservation,
    room,
    roomname,
    schedule,
    search,
    session,
    timetable,
    user,
    userevents,
    video,
)
from export.route import Route, modern_refusal

_newer = partial(Route, door=auth.modern, refusal=modern_refusal)
_scheduling = partial(Route, door=auth.token_only, refusal=schedule.refusal)

RESOURCES = (
    *(timetable, search, event, categ, session, contribution, files, registrants),
    *(user, userevents, room, roomname, reservation, video),
)
"""Those of the classic API that only read."""

WRITING = (booking, registrant)
"""Those that write."""

READ = frozenset({"read:legacy_api"})
WRITE = frozenset({"write:legacy_api"})
ANYTHING = frozenset({"full:everything"})
"""The scopes that open the classic API, and whatever else there is."""

MORE = dict.fromkeys((registrants, registrant), frozenset({"registrants"}))
"""What else opens some of the classic API: programs that check people in need nothing more."""


def _classic(resource: Any, scopes: frozenset[str], method: str = "GET") -> Route:
    scopes |= MORE.get(resource, frozenset())
    return Route(resource.PATTERN, resource.answer, scopes, resource.FORMATS, method)


ROUTES = (
    *(_classic(each, READ) for each in RESOURCES),
    *(_classic(each, WRITE, "POST") for each in WRITING),
    _newer(me.PATTERN, me.answer, ANYTHING | {"read:user", "read:everything"}),
    _scheduling(schedule.ALL, schedule.create, ANYTHING, method="POST"),
    _scheduling(schedule.HINDERED, schedule.hindered, ANYTHING | {"read:everything"}),
    _scheduling(schedule.ONE, schedule.details, ANYTHING | {"read:everything"}),
    _scheduling(schedule.CHANGE, schedule.change, ANYTHING, method="POST"),
    _newer(login.SESSION, login.tell, door=auth.anybody),
    _newer(login.LOGIN, login.log_in, method="POST", door=auth.anybody),
    _newer(login.LOGOUT, login.log_out, method="POST", door=auth.anybody),
)
"""Everything that is answered; the first route whose pattern fits is taken."""
