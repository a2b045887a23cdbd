"""Fossils: interfaces whose methods and tags say which fields an object shows, and how.

Reference: chapter 1.2; the tags are explained where they are applied, in `export.fossilize`.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from zope.interface import Interface
from zope.interface.interface import InterfaceClass, Method

FOSSIL_NAME = re.compile(r"^I(\w+)Fossil$", re.ASCII)
RESERVED = ("_type", "_fossil")

Fossil: TypeAlias = Any
"""A subclass of IFossil; zope.interface has no types to say so."""

InterfaceArg: TypeAlias = Any
"""A fossil, a mapping from classes to fossils, or None."""

_plans: dict[int, tuple[Fossil, Plan]] = {}
"""The plans of fossils by their identity, until a tag of any is changed.

Two interfaces of one name and module are equal for zope.interface, and may differ in all else.
"""


class _FossilMethod(Method):
    """A method of a fossil; a tag that is set at run time takes effect at the next call."""

    def setTaggedValue(self, tag: str, value: Any) -> None:
        super().setTaggedValue(tag, value)
        _plans.clear()


class _FossilClass(InterfaceClass):
    """The class of fossils."""

    def __init__(self, name: str, bases: Any = (), attrs: Any = None, *rest: Any) -> None:
        super().__init__(name, bases, attrs, *rest)
        for _, member in self.namesAndDescriptions():
            if type(member) is Method:
                member.__class__ = _FossilMethod

    def setTaggedValue(self, tag: str, value: Any) -> None:
        super().setTaggedValue(tag, value)
        _plans.clear()

    def changed(self, originally_changed: Any) -> None:
        super().changed(originally_changed)
        _plans.clear()


class IFossil(Interface, metaclass=_FossilClass):
    """The root of all fossils."""


class InvalidFossilException(Exception):  # noqa: N818 (documented name)
    """An interface is no fossil by its name or its base, or a method's name makes no field."""


class _Values(threading.local):
    """Values of stored objects that this thread has read, by object and member."""

    def __init__(self) -> None:
        self.of_thread: dict[tuple[bytes, str], tuple[Any, bool]] = {}


_values = _Values()


def forget_values() -> None:
    """Forget the attribute values kept for this thread."""
    _values.of_thread.clear()


class Plan:
    """A fossil, compiled: the name of its objects in answers, and its fields."""

    def __init__(self, fossil: Fossil) -> None:
        self.exported_name = _exported_name(fossil)
        self.fields = [FossilField(fossil[name]) for name in fossil.names(all=True)]

    def suits(self, obj: Any) -> bool:
        """Return whether *obj* has what every field is read from."""
        return all(each.produce is not None or hasattr(obj, each.member) for each in self.fields)


class FossilField:
    """One field of a fossil, read from a method and its tags."""

    def __init__(self, method: Method) -> None:
        tags = {tag: method.getTaggedValue(tag) for tag in method.getTaggedValueTags()}
        self.member: str = method.__name__
        self.name: str | None = tags.get("name")
        self.only_if: str | None = tags.get("onlyIf")
        self.produce: Callable[[Any], Any] | None = tags.get("produce")
        self.has_result = "result" in tags
        self.result: InterfaceArg = tags.get("result")
        self.filter_by: str | None = tags.get("filterBy")
        self.convert: Callable[..., Any] | None = tags.get("convert")
        self.convert_takes = _keywords_of(self.convert) if self.convert is not None else ()
        self.plain_names = _plain_name(self, False), _plain_name(self, True)
        """The keys for what a method answers and for an attribute; None where `put` is needed."""
        self.is_plain = not self.has_result and self.filter_by is None and self.convert is None

    def shown_name(self, klass: type | None) -> str:
        """Return the field's name in answers, with dots for nested ones.

        It is that of a getter where *klass*, the class of the objects, has a method for it.
        """
        is_attribute = klass is not None and not callable(getattr(klass, self.member, None))
        try:
            return self.name or _field_name(self.member, is_attribute and not self.produce)
        except InvalidFossilException:  # objects of another class have an attribute
            return self.member

    def accepts(self, keywords: Mapping[str, Any]) -> Callable[[Any], bool] | None:
        """Return the filter that listed values have to pass; LookupError where it is missing."""
        if self.filter_by is None:
            return None
        if "filters" not in keywords:
            raise LookupError(f"No filters defined! The tag filterBy asks for {self.filter_by!r}")
        filters: Mapping[str, Callable[[Any], bool]] = keywords["filters"]
        if self.filter_by not in filters:
            raise LookupError(f"No filter {self.filter_by!r} defined!")
        return filters[self.filter_by]

    def converted(self, value: Any, keywords: Mapping[str, Any]) -> Any:
        """Return *value* as the tag `convert` makes it."""
        if self.convert is None:
            return value
        if not self.convert_takes:
            return self.convert(value)
        given = {name: keywords[name] for name in self.convert_takes if name in keywords}
        return self.convert(value, **given)

    def put(self, shown: dict[str, Any], value: Any, is_attribute: bool) -> None:
        """Put *value* into *shown*, under the field's name. Raises InvalidFossilException."""
        _nest(shown, self.name or _field_name(self.member, is_attribute), value)

    def read(self, obj: Any) -> tuple[Any, bool]:
        """Return the value, and whether it is an attribute rather than a method's answer."""
        if self.produce is not None:
            return self.produce(obj), False
        member = getattr(obj, self.member)
        return (member(), False) if callable(member) else (member, True)

    def read_cached(self, obj: Any) -> tuple[Any, bool]:
        """Return the same, as a stored object has given it before in this thread."""
        oid = getattr(obj, "_p_oid", None)
        if oid is None or self.produce is not None:
            return self.read(obj)
        key = oid, self.member
        if key not in _values.of_thread:
            _values.of_thread[key] = self.read(obj)
        return _values.of_thread[key]


def plan_of(fossil: Fossil) -> Plan:
    """Return what *fossil* makes of an object. Raises InvalidFossilException."""
    known = _plans.get(id(fossil))
    if known is None:
        known = _plans[id(fossil)] = fossil, Plan(fossil)
    return known[1]


def _exported_name(fossil: Fossil) -> str:
    if not FOSSIL_NAME.match(fossil.__name__):
        raise InvalidFossilException(
            f"Invalid fossil name: {fossil.__name__}. "
            r"A fossil name should follow the pattern: I(\w+)Fossil."
        )
    if not fossil.isOrExtends(IFossil):
        raise InvalidFossilException(f"{fossil.__name__} is not derived from IFossil")
    own: str | None = fossil.queryDirectTaggedValue("fossil")
    return own or fossil.__name__[1].lower() + fossil.__name__[2:]


def _plain_name(field: FossilField, is_attribute: bool) -> str | None:
    try:
        name = field.name or _field_name(field.member, is_attribute)
    except InvalidFossilException:  # it is no error before such a value is met
        return None
    return None if "." in name or name in RESERVED else name


def _field_name(method: str, is_attribute: bool) -> str:
    if is_attribute:
        return method
    if re.match(r"get\w", method):
        return method[3].lower() + method[4:]
    if re.match(r"(has|is)\w", method):
        return method
    raise InvalidFossilException(
        f"method name {method!r} is not valid! has to start by 'get', 'has', 'is' or use 'name' tag"
    )


def _nest(shown: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    if name in RESERVED or (outer and outer[0] in RESERVED):
        raise InvalidFossilException('"_type" or "_fossil" cannot be a fossil attribute  name')
    for part in outer:
        shown = shown.setdefault(part, {})
    shown[last] = value


def _keywords_of(convert: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(convert).parameters.values())
    except ValueError:  # a built-in without a signature
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter.name for parameter in parameters[1:] if parameter.kind in named)
