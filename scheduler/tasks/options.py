"""The options of a function's calls: what `task` takes, checked when the module is imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from string import Formatter
from typing import Any, Literal, TypeAlias, TypedDict

from scheduler.states import TASK_STATUS_NONE, TASK_STATUS_TERMINATED
from scheduler.tasks.function_schedule import check_schedule
from scheduler.tasks.http_call import check_callable
from scheduler.tasks.recurring import POLICIES
from scheduler.tasks.retry import Retry
from scheduler.values.options import check_known
from scheduler.values.plain import plain
from scheduler.values.retention_policy import Keep

Key: TypeAlias = str | Callable[..., str | None]
"""A key of a call: a text in which `{name}` stands for an argument, or a function of them."""


class TaskOptions(TypedDict, total=False):
    """The options of `task`; those that a task's class has too mean the same (`BaseTask`)."""

    maxTries: int | None
    retries: Mapping[type[BaseException], Retry]
    softLimit: float | None
    hardLimit: float | None
    alone: bool
    queueName: str
    priority: int
    limitKey: Key
    keyLimit: int | None
    keyRate: int | None
    keyPeriod: float
    inOrder: bool
    unique: bool
    """Whether the unique key is the call itself: the function and its arguments."""

    uniqueKey: Key
    uniqueFor: float
    uniqueReplaces: bool
    uniqueStates: Collection[int]
    longestWait: float | None
    expiry: float | timedelta | None
    """How many seconds behind its date a call may still start."""

    keepFinished: Keep | None
    keepFailed: Keep | None

    encrypted: bool
    http: bool
    """Whether the function may be called over HTTP, with arguments of its types."""

    cron: str
    """The cron expression of the function's schedule, in the zone `zone`."""

    zone: str
    every: float | timedelta
    """The seconds between two dates of the function's schedule."""

    rrule: str
    """The recurrence rule of the function's schedule, as RFC 5545 writes it, in the zone `zone`."""

    rdates: Sequence[datetime]
    """Dates that are added to the schedule, aware datetimes."""

    exdates: Sequence[date]
    """Dates that are excluded from it, aware datetimes or whole days."""

    catchUp: Literal["all", "latest", "none"]
    misfireGrace: float | None
    overlap: Literal["skip", "queue", "allow"]
    jitter: float
    pauseOnFailure: bool
    keepOccurrences: int
    keepOccurrencesFor: float | None


class DeclaredOptions(dict[str, Any]):
    """The checked options of a declared function: its class is the mark of them."""


class FunctionOption:
    """An attribute of a call: the option of its function, else the default of every task."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, call: Any, owner: type) -> Any:
        if call is None:
            return self
        options = call._options  # noqa: SLF001 (of CallTask, whose attribute this is)
        if self._name in options:
            return options[self._name]
        kind: type = type(call)
        return _owner_of(kind, self._name).__dict__[self._name]


@cache
def _owner_of(kind: type, name: str) -> type:
    """Return the class that says the default of option *name* for calls of class *kind*."""
    owners = (cls for cls in kind.__mro__ if name in cls.__dict__)
    return next(cls for cls in owners if not isinstance(cls.__dict__[name], FunctionOption))


def option_of(task: Any, name: str) -> Any:
    """Return the option *name* of the class of *task*, which is loaded only if it is a call."""
    value = getattr(type(task), name, None)
    return getattr(task, name) if isinstance(value, FunctionOption) else value


def checked(options: Mapping[str, Any], function: Callable[..., Any] | None = None) -> TaskOptions:
    """Return *options*; TypeError or ValueError for an unknown one, and for a wrong value.

    With a *function*, keys that name none of its arguments are refused as well.
    """
    check_known(options, TaskOptions.__annotations__, TypeError)
    options = {name: plain(value) for name, value in options.items()}
    for name, value in options.items():
        is_sound, remedy = _CHECKS[name]
        if not is_sound(value):
            kind = ValueError if isinstance(value, int | float | str) else TypeError
            raise kind(f"the option {name} is {value!r}; it must be {remedy}")
    if options.get("unique") and options.get("uniqueKey") is not None:
        raise ValueError("unique and uniqueKey are both given: the key says what is unique")
    check_schedule(options, function)
    if function is not None and options.get("http"):
        check_callable(function)
    if function is not None:
        for name in ("limitKey", "uniqueKey"):
            _check_key(name, options.get(name), function)
    return DeclaredOptions(options)  # type: ignore[return-value]


def key_of(
    key: Key | None, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    """Return what *key* says of a call of *function* with these arguments."""
    if key is None:
        return None
    if not isinstance(key, str):
        return key(*args, **kwargs)
    given = inspect.signature(function).bind(*args, **kwargs)
    given.apply_defaults()
    return key.format(**given.arguments)


def _check_key(name: str, key: Key | None, function: Callable[..., Any]) -> None:
    if not isinstance(key, str):
        return
    known = inspect.signature(function).parameters
    for _, field, _, _ in Formatter().parse(key):
        argument = None if field is None else field.partition(".")[0].partition("[")[0]
        if argument is not None and argument not in known:
            raise ValueError(
                f"the option {name} is {key!r}, and {function.__qualname__} has no argument "
                f"{argument!r}: it has {', '.join(known) or 'none'}"
            )


def _is_whole(value: Any, least: float = -float("inf")) -> bool:
    return type(value) is int and value >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_key(value: Any) -> bool:
    return value is None or isinstance(value, str) or callable(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(kind, type) and issubclass(kind, BaseException) and isinstance(retry, Retry)
        for kind, retry in value.items()
    )


def _are_states(value: Any) -> bool:
    known = range(TASK_STATUS_NONE, TASK_STATUS_TERMINATED + 1)
    return isinstance(value, Collection) and all(each in known for each in value)


_Check: TypeAlias = tuple[Callable[[Any], bool], str]

_FLAG: _Check = (lambda value: isinstance(value, bool), "True or False")
_SECONDS: _Check = (
    lambda value: value is None or _is_number(value),
    "a number of seconds from 0, or None",
)
_KEY: _Check = (_is_key, "a text such as 'account {number}', or a function of the arguments")
_KEEP: _Check = (
    lambda value: value is None or isinstance(value, Keep),
    "a scheduler.values.retention_policy.Keep, or None",
)

_COUNT: _Check = (
    lambda value: value is None or _is_whole(value, 1),
    "a whole number from 1, or None",
)

_DATES: _Check = (
    lambda value: isinstance(value, list | tuple) and all(isinstance(each, date) for each in value),
    "a list of dates",
)

_CHECKS: dict[str, _Check] = {
    "maxTries": _COUNT,
    "retries": (_is_table, "a table of exceptions and their scheduler.tasks.retry.Retry"),
    "softLimit": _SECONDS,
    "hardLimit": _SECONDS,
    "alone": _FLAG,
    "queueName": (lambda value: isinstance(value, str), "the name of a queue"),
    "priority": (_is_whole, "a whole number"),
    "limitKey": _KEY,
    "keyLimit": _COUNT,
    "keyRate": _COUNT,
    "keyPeriod": (lambda value: _is_number(value) and value > 0, "a number of seconds above 0"),
    "inOrder": _FLAG,
    "unique": _FLAG,
    "encrypted": _FLAG,
    "http": _FLAG,
    "uniqueKey": _KEY,
    "uniqueFor": (_is_number, "a number of seconds from 0"),
    "uniqueReplaces": _FLAG,
    "uniqueStates": (_are_states, "some of the states scheduler.TASK_STATUS_..."),
    "longestWait": _SECONDS,
    "expiry": (
        lambda value: value is None or isinstance(value, timedelta) or _is_number(value),
        "a number of seconds from 0, a timedelta, or None",
    ),
    "keepFinished": _KEEP,
    "keepFailed": _KEEP,
    "cron": (lambda value: isinstance(value, str), "an expression such as '0 3 * * *'"),
    "zone": (lambda value: isinstance(value, str), "the name of a zone, such as 'Europe/Zurich'"),
    "every": (
        lambda value: (isinstance(value, timedelta) or _is_number(value)) and bool(value),
        "a number of seconds above 0, or a timedelta",
    ),
    "rrule": (lambda value: isinstance(value, str), "a rule such as 'FREQ=WEEKLY;BYDAY=MO'"),
    "rdates": _DATES,
    "exdates": _DATES,
    **POLICIES,
}
"""By the name of an option, whether a value will do, and what it must be."""
