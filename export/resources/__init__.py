"""The built-in resources: one module for each WHAT, with its resource and its answer."""

from export.resources import (
    booking,
    categ,
    contribution,
    diff,
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
    schedule,
    search,
    session,
    task_calls,
    timetable,
    user,
    user_events,
    video,
)

BUILT_IN = (
    *(event.RESOURCE, categ.RESOURCE, search.RESOURCE, timetable.RESOURCE, session.RESOURCE),
    schedule.RESOURCE,
    *(contribution.RESOURCE, files.RESOURCE, registrants.ALL, registrants.ONE),
    *(user.RESOURCE, user_events.RESOURCE, room.RESOURCE, room_by_name.RESOURCE),
    *(reservation.RESOURCE, video.RESOURCE, booking.RESOURCE, registrant.RESOURCE),
    *(me.RESOURCE, login.SESSION, login.LOGIN, login.LOGOUT),
    *(room_schedule.CREATE, room_schedule.HINDERED, room_schedule.ONE, room_schedule.CHANGE),
    diff.RESOURCE,
    *(task_calls.CALL, task_calls.TASK),
)
