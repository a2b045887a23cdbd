"""The JSON Schemas of fossils: the fields of objects in answers, with their types.

Types are those of the getters' annotations: of the functions in the tags `convert` and
`produce`, else of the class that is the fossil's tag `of`, or that it names: `module:class`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from export.fossil_plan import Fossil, FossilField, plan_of
from export.openapi.type_schema import (
    DATE,
    PREFIX,
    Schema,
    either,
    is_list,
    member_type,
    returned,
    schema_of,
)
from scheduler.values.named_object import named_object

IN_CALENDAR = "inCalendar"
"""The tag of fields that calendars tell in their own way, and no answer in JSON has."""


class FossilSchemas:
    """The schemas of all fossils that were asked for, and of those within them."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {"Date": DATE}
        self._names: dict[Fossil, str] = {}

    def reference(self, fossil: Fossil) -> Schema:
        """Return the reference to the schema of *fossil*."""
        if fossil not in self._names:
            self._names[fossil] = name = self._free_name(fossil)
            self.schemas[name] = {}  # its place, for fossils that hold each other
            self.schemas[name] = self._schema(fossil)
        return {"$ref": f"{PREFIX}{self._names[fossil]}"}

    def _free_name(self, fossil: Fossil) -> str:
        name = plan_of(fossil).exported_name
        return name if name not in self.schemas else str(fossil.__name__)

    def _schema(self, fossil: Fossil) -> Schema:
        plan = plan_of(fossil)
        schema = _object()
        _put(schema, "_type", {"type": "string"})
        _put(schema, "_fossil", {"const": plan.exported_name})
        klass = _class_of(fossil)
        for field in plan.fields:
            if field.only_if == IN_CALENDAR:
                continue
            _put(schema, field.shown_name(klass), self._field(field, klass), not field.only_if)
        doc = (fossil.__doc__ or "").strip()
        return {"description": doc, **schema} if doc else schema

    def _field(self, field: FossilField, klass: type | None) -> Schema:
        if field.convert is not None:
            return schema_of(returned(field.convert))
        hint = returned(field.produce) if field.produce else member_type(klass, field.member)
        if not field.has_result or field.result is None:
            return {} if field.has_result else schema_of(hint)
        member = either(map(self.reference, _fossils(field.result)))
        if is_list(hint):
            return {"type": "array", "items": member}
        return either([member, {"type": "array", "items": member}, {"type": "null"}])


def _class_of(fossil: Fossil) -> type | None:
    named = fossil.queryTaggedValue("of")
    found: type | None = named_object(named) if isinstance(named, str) else named
    return found


def _fossils(result: Any) -> Iterator[Fossil]:
    if isinstance(result, Mapping):
        for each in result.values():
            yield from _fossils(each)
    else:
        yield result


def _object() -> Schema:
    return {"type": "object", "properties": {}, "required": []}


def _put(schema: Schema, name: str, value: Schema, is_required: bool = True) -> None:
    """Put the schema of the field *name*, with dots for nested ones, into that of its object."""
    *outer, last = name.split(".")
    for part in outer:
        schema = schema["properties"].setdefault(part, _object())
    schema["properties"][last] = value
    if is_required:
        schema["required"].append(last)
