"""Schedules of rooms: `/api/v3/schedule` (schedule API)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from export.auth import caller
from export.errors import (
    CatalogueException,
    InvalidFields,
    MalformedBody,
    MalformedRequest,
    NotFree,
    RefusedRequest,
    RequestException,
    RoomNotFree,
    TokenNeeded,
    TokenRefused,
    UnknownCredentials,
    UnknownResource,
)
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import Bare
from export.people.user import users
from export.resource import ANYTHING, Resource
from export.resources.booking import check_rights
from export.resources.room_schedule_body import NEEDED, read_wish
from export.rooms.registry import rooms
from export.rooms.schedule import RoomSchedule, schedules
from export.rooms.schedule_request import ScheduleRequest

ID = re.compile("[0-9]{1,18}")


def create(question: Question) -> Bare:
    """Make a schedule, book its room and enqueue its tasks; return a list with its id."""
    author = str(question.user)
    if not rooms().may_use(author):
        raise RefusedRequest("Access to this resource is restricted.")
    requested = read_wish(_body(question.request))
    check_rights(requested.room, author)
    return Bare([_attempt(lambda: schedules().create(author, requested)).id])


def details(question: Question) -> Bare:
    """Return what is known of a schedule."""
    return Bare({"data": _shown(_schedule(question))})


def change(question: Question) -> Bare:
    """Do with a schedule what the address says."""
    schedule = _schedule(question)
    if not schedule.canModify(question.user):
        raise RefusedRequest("Access to this resource is restricted.")
    return CHANGES[question.arguments["what"]](question.request, schedule, str(question.user))


def hindered(question: Question) -> Bare:
    """Return the schedules of which something (`conflict`) or everything cannot be (`blocked`)."""
    seen = (one for one in schedules() if one.canAccess(question.user) and one.is_hindered())
    how = question.arguments["how"]
    blocked = how == "blocked"
    found = [_shown(one) for one in seen if one.is_impossible() is blocked]
    return Bare({"data": {f"{how}_schedules": found}})


def refusal(error: RequestException) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the body that tell *error*."""
    if isinstance(error, TokenNeeded | TokenRefused | UnknownCredentials):
        return error.status, {"error": {"code": error.status, "message": error.message}}
    if isinstance(error, UnknownResource):
        message = {"message": error.message} if error.message else {}
        return error.status, {"error": {"code": error.status, **message}}
    status = 500 if isinstance(error, MalformedBody) else error.status
    data: dict[str, Any] = {"message": error.message}
    if isinstance(error, InvalidFields):
        data["fields"] = [{"name": name, "message": told} for name, told in error.fields.items()]
    return status, {"data": data, "code": status}


def _edit(request: ExportRequest, schedule: RoomSchedule, user: str) -> Bare:
    requested = read_wish(_body(request), schedule.requested)
    if requested.timing != schedule.requested.timing:
        check_rights(requested.room, user)
    _attempt(lambda: schedule.change(requested))
    return Bare({"data": _shown(schedule)})


def _delete(request: ExportRequest, schedule: RoomSchedule, user: str) -> Bare:
    schedules().delete(schedule)
    return Bare({})


def _delete_next(request: ExportRequest, schedule: RoomSchedule, user: str) -> Bare:
    try:
        schedule.delete_next()
    except CatalogueException as error:
        raise MalformedRequest(str(error)) from None
    return Bare({"data": _shown(schedule)})


def _stop(request: ExportRequest, schedule: RoomSchedule, user: str) -> Bare:
    try:
        schedule.halt()
    except CatalogueException as error:
        raise UnknownResource(str(error)) from None
    return Bare({"data": None})


CHANGES: dict[str, Callable[[ExportRequest, RoomSchedule, str], Bare]] = {
    "edit": _edit,
    "delete": _delete,
    "delete_next": _delete_next,
    "stop": _stop,
}


def _attempt(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except RoomNotFree as error:
        raise NotFree(str(error)) from None
    except ValueError as error:
        raise InvalidFields({"start_at": str(error)}) from None


def _body(request: ExportRequest) -> Mapping[str, Any]:
    body = request.json
    if not isinstance(body, dict):
        raise MalformedBody("The body is not a JSON object")
    return body


def _schedule(question: Question) -> RoomSchedule:
    wanted = question.arguments["id"]
    schedule = schedules().find(int(wanted)) if ID.fullmatch(wanted) else None
    if schedule is None or not schedule.canAccess(question.user):
        raise UnknownResource("")
    return schedule


def _shown(schedule: RoomSchedule) -> dict[str, Any]:
    requested = schedule.requested
    start = int((schedule.current or requested.start_at).timestamp())
    duration = int(requested.duration.total_seconds())
    author = users().find(schedule.author)
    return {
        "id": schedule.id,
        "name": requested.name,
        "template": [
            {"id": _id(field), "value": value} for field, value in requested.template.items()
        ],
        "author": {
            "id": _id(schedule.author),
            "name": author.getName() if author is not None else schedule.author,
        },
        "room": {"id": requested.room.id, "name": requested.room.getName()},
        "created": int(schedule.created.timestamp()),
        "start_at": start,
        "stop_at": start + duration,
        "duration": duration,
        "status": "pending" if schedule.running is None else "started",
        "recurrence": _shown_recurrence(requested),
        "shared": {
            "users": list(map(_id, requested.users)),
            "user_groups": list(map(_id, requested.user_groups)),
        },
    }


def _shown_recurrence(requested: ScheduleRequest) -> dict[str, Any]:
    recurrence = requested.recurrence
    return {
        "type": recurrence.type,
        "weeks_range": list(recurrence.weeks_range),
        "range_type": recurrence.range_type,
        "end_after": recurrence.end_after,
        "end_by": f"{recurrence.end_by:%m-%d-%Y}" if recurrence.end_by is not None else None,
    }


def _id(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdecimal() else text


ADDRESS = "/api/v3/schedule"
FIELDS = {
    "name": {"type": "string"},
    "room": {"type": "integer", "description": "The id of the room."},
    "start_at": {"type": "integer", "description": "Its beginning, in seconds from 1970."},
    "duration": {"type": "integer", "description": "Seconds.", "minimum": 1},
    "recurrence": {"type": "object"},
    "template": {"type": "object"},
    "share": {"type": "object"},
}
BODY = {"type": "object", "properties": FIELDS}
_scheduling = partial(Resource, door=caller.token_only, refusal=refusal)

CREATE = _scheduling(
    "schedule_create",
    (ADDRESS, f"{ADDRESS}/"),
    create,
    ANYTHING,
    method="POST",
    body={**BODY, "required": list(NEEDED)},
)
HINDERED = _scheduling(
    "schedules_hindered",
    tuple(f"{ADDRESS}/<any(conflict, blocked):how>{end}" for end in ("", "/")),
    hindered,
    ANYTHING | {"read:everything"},
)
ONE = _scheduling(
    "schedule",
    tuple(f"{ADDRESS}/<id:id>{end}" for end in ("", "/")),
    details,
    ANYTHING | {"read:everything"},
)
CHANGE = _scheduling(
    "schedule_change",
    tuple(
        f"{ADDRESS}/<id:id>/<any(edit, delete, delete_next, stop):what>{end}" for end in ("", "/")
    ),
    change,
    ANYTHING,
    method="POST",
    body=BODY,
)
