"""Fossils: from an object to plain dictionaries and lists, by the rules of an interface.

A fossil is an interface whose methods say which fields an object shows, and whose tags say how:

- `name`: the field's name; dots nest (`file.size` becomes `{"file": {"size": ...}}`);
- `produce`: a function of the object, taken instead of the object's own method;
- `result`: the fossil (or dict of fossils, or None) that the value is fossilized with;
- `convert`: a function applied to the value last; it gets those of the caller's keywords
  that its parameters name;
- `onlyIf`: the field exists only if the caller's keyword of that name is true;
- `filterBy`: which of the caller's `filters` a listed value has to pass.

Reference: chapter 1.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import inspect
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from zope.interface import Interface, classImplements
from zope.interface.interface import InterfaceClass, Method

log = logging.getLogger(__name__)

DECLARED = "__fossils__"
FOSSIL_NAME = re.compile(r"^I(\w+)Fossil$", re.ASCII)
ATOMS = (
    type(None), bool, int, float, str, bytes, decimal.Decimal,
    datetime.date, datetime.time, datetime.timedelta,
)  # fmt: skip
RESERVED = ("_type", "_fossil")

Fossil: TypeAlias = Any
"""A subclass of IFossil; zope.interface has no types to say so."""

InterfaceArg: TypeAlias = Any
"""A fossil, a mapping from classes to fossils, or None."""

Class = TypeVar("Class", bound=type)

_plans: dict[Fossil, _Plan] = {}
"""What is known of each fossil, until a tag of any is changed."""


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


class NonFossilizableException(Exception):  # noqa: N818 (documented name)
    """No fossil is given for the object, and its class declares none."""


class _Cache(threading.local):
    def __init__(self) -> None:
        self.values: dict[tuple[bytes, str], tuple[Any, bool]] = {}


_cache = _Cache()


class Fossilizable:
    """The base of classes whose objects fossilize themselves."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        classImplements(cls, *cls.__dict__.get(DECLARED, ()))

    def fossilize(
        self, interfaceArg: InterfaceArg = None, useAttrCache: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Return this object as a dictionary; see the function `fossilize`."""
        return Fossilizable.fossilize_obj(self, interfaceArg, useAttrCache, **kwargs)

    @classmethod
    def fossilizeIterable(
        cls,
        target: Any,
        interface: InterfaceArg,
        useAttrCache: bool = False,
        filterBy: Callable[[Any], bool] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return *target* with every object in it fossilized.

        Dictionaries keep their keys; all other iterables become lists, of those members for
        which *filterBy* is true. Raises NonFossilizableException.
        """
        if isinstance(target, Fossilizable):
            return target.fossilize(interface, useAttrCache, **kwargs)
        if isinstance(target, ATOMS):
            return target

        def again(member: Any) -> Any:
            return cls.fossilizeIterable(member, interface, useAttrCache, **kwargs)

        if isinstance(target, Mapping):
            return {key: again(value) for key, value in target.items()}
        if isinstance(target, Iterable):
            return [again(member) for member in target if filterBy is None or filterBy(member)]
        return cls.fossilize_obj(target, interface, useAttrCache, **kwargs)

    @classmethod
    def fossilize_obj(
        cls,
        obj: Any,
        interfaceArg: InterfaceArg = None,
        useAttrCache: bool = False,
        mapClassType: Mapping[str, str] = {},
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return *obj* as a dictionary, with `_type` and `_fossil`.

        *mapClassType* renames classes in `_type`, at all depths.
        Raises NonFossilizableException, InvalidFossilException, and whatever a getter raises.
        """
        fossil = _fossil_for(obj, interfaceArg)
        plan = _plans.get(fossil) or _planned(fossil)
        class_name = type(obj).__name__
        result = {
            "_type": mapClassType.get(class_name, class_name),
            "_fossil": plan.exported_name,
        }
        try:
            for field in plan.fields:
                if field.only_if is None or kwargs.get(field.only_if):
                    field.add(result, obj, useAttrCache, mapClassType, kwargs)
        except (InvalidFossilException, NonFossilizableException):
            raise
        except Exception:
            log.exception("Problem fossilizing %r with %s", obj, fossil.__name__)
            raise
        return result

    @classmethod
    def clearCache(cls) -> None:
        """Forget the attribute values kept for this thread."""
        _cache.values.clear()


def fossilize(
    target: Any, interfaceArg: InterfaceArg = None, useAttrCache: bool = False, **kwargs: Any
) -> Any:
    """Return *target*, an object or any structure of objects, as plain dictionaries and lists.

    *interfaceArg* is a fossil for every object; or a dict that gives one for each class, by
    the class, its name, its dotted name, or a superclass; or None, for the first one that each
    object's class declares. *useAttrCache* takes values that a stored object has given before.
    Further keywords reach the tags `convert`, `onlyIf` and (`filters`) `filterBy`.
    Raises NonFossilizableException, InvalidFossilException.
    """
    return Fossilizable.fossilizeIterable(target, interfaceArg, useAttrCache, **kwargs)


def clearCache() -> None:
    """Forget the attribute values kept for this thread."""
    Fossilizable.clearCache()


def fossilizes(*classList: Fossil) -> Callable[[Class], Class]:
    """Declare which fossils a class has; the first is its default.

    Called in the class body, or used as the class's decorator.
    """
    body = sys._getframe(1).f_locals
    in_class_body = "__module__" in body and "__qualname__" in body
    before = tuple(body.get(DECLARED, ()))
    if in_class_body:
        body[DECLARED] = before + classList

    def decorate(klass: Class) -> Class:
        if in_class_body:  # it decorates a class nested in that body
            body[DECLARED] = before
        addFossil(klass, list(classList))
        return klass

    return decorate


def addFossil(klazz: type, fossils: Fossil | Iterable[Fossil]) -> None:
    """Declare one fossil or several for an existing class, after those it has declared."""
    added = (fossils,) if isinstance(fossils, InterfaceClass) else tuple(fossils)
    setattr(klazz, DECLARED, (*klazz.__dict__.get(DECLARED, ()), *added))
    classImplements(klazz, *added)


def _fossil_for(obj: Any, argument: InterfaceArg) -> Fossil:
    if isinstance(argument, InterfaceClass):
        return argument
    if argument is None:
        return _default_fossil(obj)
    if not isinstance(argument, Mapping):
        raise NonFossilizableException(f"Type {type(argument)} is not fossilizable!")
    for key in _class_keys(type(obj)):
        if key in argument:
            return _fossil_for(obj, argument[key])
    raise NonFossilizableException(
        f"Object {obj} of class {type(obj).__name__} cannot be fossilized; "
        "its class was not a key in the provided fossils dictionary"
    )


def _default_fossil(obj: Any) -> Fossil:
    for klass in type(obj).__mro__:
        for fossil in klass.__dict__.get(DECLARED, ()):
            if fossil is not IFossil and fossil.extends(IFossil):
                return fossil
    raise NonFossilizableException(
        f"Object {obj} of class {type(obj).__name__} cannot be fossilized, "
        "no fossils were declared for it"
    )


def _class_keys(klass: type) -> Iterator[Any]:
    yield f"{klass.__module__}.{klass.__qualname__}"
    yield klass
    yield klass.__name__
    for base in klass.__mro__[1:]:
        yield base
        yield f"{base.__module__}.{base.__qualname__}"
        yield base.__name__


class _Plan:
    """What a fossil makes of an object: the name that it is shown by, and the fields."""

    def __init__(self, fossil: Fossil) -> None:
        self.exported_name = _exported_name(fossil)
        self.fields = [_Field(fossil[name]) for name in fossil.names(all=True)]


class _Field:
    """One field of a fossil, read from a method and its tags."""

    def __init__(self, method: Method) -> None:
        tags = {tag: method.getTaggedValue(tag) for tag in method.getTaggedValueTags()}
        self.member = method.__name__
        self.name: str | None = tags.get("name")
        self.only_if: str | None = tags.get("onlyIf")
        self.produce: Callable[[Any], Any] | None = tags.get("produce")
        self.has_result = "result" in tags
        self.result: InterfaceArg = tags.get("result")
        self.filter_by: str | None = tags.get("filterBy")
        self.convert: Callable[..., Any] | None = tags.get("convert")
        self.convert_takes = _keywords_of(self.convert) if self.convert is not None else ()

    def add(
        self,
        shown: dict[str, Any],
        obj: Any,
        use_cache: bool,
        class_names: Mapping[str, str],
        keywords: Mapping[str, Any],
    ) -> None:
        """Add to *shown* what this field is of *obj*."""
        value, is_attribute = self._read_cached(obj) if use_cache else self._read(obj)
        accepts = _filter(self.filter_by, keywords) if self.filter_by is not None else None
        if self.has_result and value is not None:
            value = Fossilizable.fossilizeIterable(
                value, self.result, filterBy=accepts, mapClassType=class_names, **keywords
            )
        if self.convert is not None:
            given = {name: keywords[name] for name in self.convert_takes if name in keywords}
            value = self.convert(value, **given)
        name = self.name or _field_name(self.member, is_attribute)
        if "." in name or name in RESERVED:
            _nest(shown, name, value)
        else:
            shown[name] = value

    def _read(self, obj: Any) -> tuple[Any, bool]:
        """Return the value, and whether it is an attribute rather than a method's answer."""
        if self.produce is not None:
            return self.produce(obj), False
        member = getattr(obj, self.member)
        return (member(), False) if callable(member) else (member, True)

    def _read_cached(self, obj: Any) -> tuple[Any, bool]:
        oid = getattr(obj, "_p_oid", None)
        if oid is None or self.produce is not None:
            return self._read(obj)
        key = oid, self.member
        if key not in _cache.values:
            _cache.values[key] = self._read(obj)
        return _cache.values[key]


def _planned(fossil: Fossil) -> _Plan:
    plan = _plans[fossil] = _Plan(fossil)
    return plan


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


def _filter(name: str, keywords: Mapping[str, Any]) -> Callable[[Any], bool]:
    if "filters" not in keywords:
        raise LookupError(f"No filters defined! The tag filterBy asks for {name!r}")
    filters: Mapping[str, Callable[[Any], bool]] = keywords["filters"]
    if name not in filters:
        raise LookupError(f"No filter {name!r} defined!")
    return filters[name]


@functools.lru_cache(maxsize=1024)
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
