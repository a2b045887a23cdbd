"""The schedule that the body of a request asks for (schedule API)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from export.errors import InvalidFields
from export.rooms.recurrence import AFTER, BY, NONE, RANGES, TYPES, Recurrence
from export.rooms.registry import rooms
from export.rooms.room import Room
from export.rooms.schedule_request import ScheduleRequest
from scheduler.clock import nowutc

BLANK = "This value should not be blank."
INVALID = "This value is not valid."
NEEDED = ("name", "room", "start_at", "duration")
NUMBER = re.compile(r"\d{1,12}", re.ASCII)
END_BY = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})", re.ASCII)
LONGEST_NAME = 1000

Problems = dict[str, str]


def read_wish(body: Mapping[str, Any], before: ScheduleRequest | None = None) -> ScheduleRequest:
    """Return what *body* asks for; what it does not name is as it was *before*.

    Raises InvalidFields with everything that is wrong.
    """
    problems: Problems = {}
    values: dict[str, Any] = {}
    for name, read in READERS.items():
        if name in NEEDED and _is_blank(body.get(name)) and (name in body or before is None):
            problems[name] = BLANK
        elif not _is_blank(body.get(name)):
            values[name] = _try(problems, name, read, body[name])
    values |= _shared(body)
    values |= _template(body, before)
    recurrence = _recurrence(body, before.recurrence if before else Recurrence(), problems)
    if problems:
        raise InvalidFields(problems)
    requested = ScheduleRequest(**values) if before is None else replace(before, **values)
    return _checked(replace(requested, recurrence=recurrence))


def _checked(requested: ScheduleRequest) -> ScheduleRequest:
    try:
        requested.rule(requested.duration)
    except (ValueError, OverflowError) as error:
        field = "start_at" if requested.recurrence.type == NONE else "recurrence"
        raise InvalidFields({field: str(error)}) from None
    return requested


def _try(problems: Problems, name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        problems[name] = str(error)
        return None


def _name(value: Any) -> str:
    if not isinstance(value, str | int | float) or len(str(value)) > LONGEST_NAME:
        raise ValueError(INVALID)
    return str(value)


def _room(value: Any) -> Room:
    room: Room | None = rooms().rooms.get(_number(value))
    if room is None:
        raise ValueError("This room does not exist.")
    return room


def _start_at(value: Any) -> datetime:
    start = datetime.fromtimestamp(_number(value), UTC)
    if start <= nowutc():
        raise ValueError("This value should be in the future.")
    return start


def _positive(value: Any) -> int:
    count = _number(value)
    if count == 0:
        raise ValueError("This value should be greater than 0.")
    return count


def _duration(value: Any) -> timedelta:
    return timedelta(seconds=_positive(value))


READERS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "room": _room,
    "start_at": _start_at,
    "duration": _duration,
}


def _recurrence(body: Mapping[str, Any], before: Recurrence, problems: Problems) -> Recurrence:
    asked = body.get("recurrence")
    given = body if _is_blank(asked) else asked
    if not isinstance(given, Mapping):
        problems["recurrence"] = INVALID
        return before
    values = {
        name: _try(problems, name, read, given[name])
        for name, read in RECURRENCE.items()
        if not _is_blank(given.get(name))
    }
    found = replace(before, **values)
    for range_type, name in ((AFTER, "end_after"), (BY, "end_by")):
        if found.range_type == range_type and getattr(found, name) is None:
            problems.setdefault(name, BLANK)
    return found


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"This value should be one of {', '.join(choices)}.")
        return str(value)

    return read


def _weeks_range(value: Any) -> tuple[int, ...]:
    days = tuple(_number(day) for day in _listed(value))
    if any(day > 6 for day in days):
        raise ValueError("Days of the week are from 0, Sunday, to 6.")
    return days


def _end_by(value: Any) -> date:
    found = END_BY.fullmatch(str(value))
    if found is None:
        raise ValueError("This value should be a date as MM-DD-YYYY.")
    month, day, year = map(int, found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError("This date does not exist.") from None


RECURRENCE: dict[str, Callable[[Any], Any]] = {
    "type": _one_of(TYPES),
    "weeks_range": _weeks_range,
    "range_type": _one_of(RANGES),
    "end_after": _positive,
    "end_by": _end_by,
}


def _shared(body: Mapping[str, Any]) -> dict[str, Any]:
    share = body.get("share")
    given = {**body, **share} if isinstance(share, Mapping) else body
    groups = given.get("user_groups", given.get("users_groups"))
    named = {"users": given.get("users"), "user_groups": groups}
    return {name: _listed(value) for name, value in named.items() if value is not None}


def _template(body: Mapping[str, Any], before: ScheduleRequest | None) -> dict[str, Any]:
    template = body.get("template")
    fields = template if isinstance(template, Mapping) else {}
    loose = {name: value for name, value in body.items() if NUMBER.fullmatch(name)}
    given = {str(name): str(value) for name, value in {**fields, **loose}.items()}
    return {"template": {**(before.template if before else {}), **given}} if given else {}


def _listed(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else str(value).split(",")
    return tuple(text for text in (str(part).strip() for part in parts) if text)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not NUMBER.fullmatch(str(value)):
        raise ValueError(INVALID)
    return int(value)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
