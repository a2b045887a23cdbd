"""The schedule that a function's options declare: `cron=`, `every=` or `rrule=`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from scheduler.schedules.cron import Cron
from scheduler.schedules.interval import Interval
from scheduler.schedules.rule_text import schedule_from_text
from scheduler.schedules.schedule import Schedule
from scheduler.schedules.schedule_set import with_dates
from scheduler.tasks.recurring import POLICIES

KINDS = ("cron", "every", "rrule")
PARTS = (*KINDS, "zone", "rdates", "exdates")
"""The options that make up a schedule."""


def schedule_of(options: Mapping[str, Any]) -> Schedule | None:
    """Return the schedule that *options* declare, from now on; None for none.

    ValueError for one that is none.
    """
    zone = options.get("zone", "UTC")
    schedule: Schedule
    if "cron" in options:
        schedule = Cron(options["cron"], zone)
    elif "every" in options:
        schedule = Interval(seconds_of(options["every"]))
    elif "rrule" in options:
        schedule = schedule_from_text(options["rrule"], zone)
    else:
        return None
    return with_dates(schedule, options.get("rdates", ()), options.get("exdates", ()))


def declaration_of(options: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what *options* say of the schedule, without when it was declared, as plain values."""
    values = {name: options[name] for name in PARTS if name in options}
    if "every" in values:
        values["every"] = seconds_of(values["every"])
    for name in values.keys() & {"rdates", "exdates"}:
        values[name] = tuple(sorted(each.isoformat() for each in values[name]))
    return tuple(sorted(values.items()))


def seconds_of(value: float | timedelta) -> float:
    """Return a number of seconds, or a timedelta, as seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else value


def check_schedule(options: Mapping[str, Any], function: Callable[..., Any] | None) -> None:
    """Raise ValueError where *options* declare no sound schedule for *function*."""
    kinds = [name for name in KINDS if name in options]
    if len(kinds) > 1:
        raise ValueError(f"{' and '.join(kinds)} are both given: a schedule is one of them")
    if not kinds:
        for name in options.keys() & {*PARTS, *POLICIES}:
            raise ValueError(f"{name} is given without a schedule: give {', '.join(KINDS)}")
        return
    if kinds == ["every"] and "zone" in options:
        raise ValueError("zone is given with every, which has no local time: give cron or rrule")
    if "expiry" in options:
        raise ValueError("expiry is given with a schedule: misfireGrace is that of its dates")
    schedule_of(options)
    if function is not None:
        _check_no_arguments(function)


def _check_no_arguments(function: Callable[..., Any]) -> None:
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ValueError(
            f"{function.__qualname__} has a schedule, which calls it without arguments: {error}"
        ) from None
