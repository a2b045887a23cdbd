"""The JSON Schema of a Python type, as answers in JSON print its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

PREFIX = "#/components/schemas/"
"""The beginning of references to schemas by their names, as OpenAPI has them."""

DATE: Schema = {
    "type": "object",
    "properties": {
        "date": {"type": "string", "format": "date"},
        "time": {"type": "string"},
        "tz": {"type": "string"},
    },
    "required": ["date", "time", "tz"],
}
ATOMS: dict[type, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": "number"},
    timedelta: {"type": "number"},
    NoneType: {"type": "null"},
    datetime: {"$ref": f"{PREFIX}Date"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string"},
}
LISTS = ("list", "tuple", "set", "frozenset", "Iterable", "Iterator", "Sequence")


def schema_of(hint: Any) -> Schema:
    """Return the schema of values of the type *hint*; one that all values fit for others."""
    if hint in ATOMS:
        return ATOMS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return either(map(schema_of, arguments))
    if is_list(hint):
        members = [each for each in arguments if each is not Ellipsis]
        return {"type": "array", "items": either(map(schema_of, members)) if members else {}}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(arguments[1])}
    return {}


def is_list(hint: Any) -> bool:
    """Say whether values of the type *hint* are printed as lists."""
    return getattr(get_origin(hint) or hint, "__name__", "") in LISTS


def either(schemas: Any) -> Schema:
    """Return the schema of values that fit one of *schemas*."""
    known: list[Schema] = []
    for each in schemas:
        if each not in known:
            known.append(each)
    if {} in known or not known:
        return {}
    return known[0] if len(known) == 1 else {"anyOf": known}


def returned(function: Any) -> Any:
    """Return the type that *function* is declared to return; Any where it tells none."""
    if isinstance(function, property | cached_property):
        function = function.fget if isinstance(function, property) else function.func
    return _hints(function).get("return", Any) if isinstance(function, Callable) else Any  # type: ignore[arg-type]


def member_type(klass: type | None, name: str) -> Any:
    """Return the type of the values that *name* of *klass* has or returns; Any if unknown."""
    found = getattr(klass, name, None)
    if isinstance(found, property | cached_property) or callable(found):
        return returned(found)
    return _hints(klass).get(name, Any) if klass is not None else Any


def _hints(obj: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(obj)
    except (NameError, TypeError):  # a name that only the type checker imports
        return {}
