"""What can be asked for: one module for each WHAT, with its PATTERN, FORMATS and answer."""

from functools import partial

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
    search,
    session,
    timetable,
    user,
    userevents,
    video,
)
from export.route import Route, modern_refusal

_newer = partial(Route, door=auth.modern, refusal=modern_refusal)

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

ROUTES = (
    *(Route(each.PATTERN, each.answer, READ, each.FORMATS) for each in RESOURCES),
    *(Route(each.PATTERN, each.answer, WRITE, each.FORMATS, "POST") for each in WRITING),
    _newer(me.PATTERN, me.answer, ANYTHING | {"read:user", "read:everything"}),
    _newer(login.SESSION, login.tell, door=auth.anybody),
    _newer(login.LOGIN, login.log_in, method="POST", door=auth.anybody),
    _newer(login.LOGOUT, login.log_out, method="POST", door=auth.anybody),
)
"""Everything that is answered; the first route whose pattern fits is taken."""
