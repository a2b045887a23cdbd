"""Resources: one module for each WHAT, with its PATTERN, FORMATS and answer."""

from functools import partial
from typing import Any

from export.auth import caller
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
    room_by_name,
    room_schedule,
    search,
    session,
    timetable,
    user,
    user_events,
    video,
)
from export.route import Route, modern_refusal

_newer = partial(Route, door=caller.modern, refusal=modern_refusal)
_scheduling = partial(Route, door=caller.token_only, refusal=room_schedule.refusal)

RESOURCES = (
    *(timetable, search, event, categ, session, contribution, files, registrants),
    *(user, user_events, room, room_by_name, reservation, video),
)
"""Those of the classic API that only read."""

WRITING = (booking, registrant)
"""Resources that write."""

READ = frozenset({"read:legacy_api"})
WRITE = frozenset({"write:legacy_api"})
ANYTHING = frozenset({"full:everything"})
"""The scopes that open the classic API, and whatever else there is."""

MORE = dict.fromkeys((registrants, registrant), frozenset({"registrants"}))
"""Scopes that open single resources: programs that check people in need no more."""


def _classic(resource: Any, scopes: frozenset[str], method: str = "GET") -> Route:
    scopes |= MORE.get(resource, frozenset())
    return Route(resource.PATTERN, resource.answer, scopes, resource.FORMATS, method)


ROUTES = (
    *(_classic(each, READ) for each in RESOURCES),
    *(_classic(each, WRITE, "POST") for each in WRITING),
    _newer(me.PATTERN, me.answer, ANYTHING | {"read:user", "read:everything"}),
    _scheduling(room_schedule.ALL, room_schedule.create, ANYTHING, method="POST"),
    _scheduling(room_schedule.HINDERED, room_schedule.hindered, ANYTHING | {"read:everything"}),
    _scheduling(room_schedule.ONE, room_schedule.details, ANYTHING | {"read:everything"}),
    _scheduling(room_schedule.CHANGE, room_schedule.change, ANYTHING, method="POST"),
    _newer(login.SESSION, login.tell, door=caller.anybody),
    _newer(login.LOGIN, login.log_in, method="POST", door=caller.anybody),
    _newer(login.LOGOUT, login.log_out, method="POST", door=caller.anybody),
)
"""Everything that is answered; the first route whose pattern fits is taken."""
