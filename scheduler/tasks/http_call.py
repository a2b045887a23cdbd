"""Calls from other languages: functions that declare `@task(http=True)`, and their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

NOT_NAMED = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
)


class WrongArguments(ValueError):  # noqa: N818 (what they are)
    """The arguments are not those that the function takes; the text says which one and why."""


def check_callable(function: Callable[..., Any]) -> None:
    """Raise TypeError where calls of *function* cannot be checked: an argument has no type."""
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in NOT_NAMED or parameter.annotation is parameter.empty:
            raise TypeError(
                f"{function.__qualname__} is declared with http=True: its argument {name!r} "
                "needs a type, and a name by which it is given"
            )


def checked_arguments(function: Callable[..., Any], given: object) -> Mapping[str, Any]:
    """Return the arguments of *function* that the JSON object *given* says, each of its type.

    Dates, tuples, enumerations and data classes are made of what stands for them in JSON. Raises
    WrongArguments, and ModuleNotFoundError naming the extra that is needed.
    """
    from scheduler.values.extras import extra_needed

    with extra_needed():
        import msgspec
    try:
        found = msgspec.convert(given, _type_of(function))
    except msgspec.ValidationError as error:
        raise WrongArguments(str(error)) from None
    return {name: getattr(found, name) for name in found.__struct_fields__ if name in given}  # type: ignore[operator]


def as_json(value: Any) -> Any:
    """Return *value* as plain data for JSON; TypeError for what has no such form."""
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)


@cache
def _type_of(function: Callable[..., Any]) -> Any:
    import msgspec

    hints = get_type_hints(function)
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        is_needed = parameter.default is parameter.empty
        fields.append((name, hints[name]) if is_needed else (name, hints[name], msgspec.UNSET))
    return msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
