"""What can be asked for: one module for each WHAT, with its PATTERN, FORMATS and answer."""

from export.resources import (
    categ,
    contribution,
    event,
    files,
    registrants,
    search,
    session,
    timetable,
    user,
    userevents,
)

RESOURCES = (
    *(timetable, search, event, categ, session, contribution, files, registrants),
    *(user, userevents),
)
