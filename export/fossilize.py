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
    type(None), bool, int, float, complex, str, bytes, decimal.Decimal,
    datetime.date, datetime.time, datetime.timedelta,
)  # fmt: skip
RESERVED = ("_type", "_fossil")

Fossil: TypeAlias = Any
"""A subclass of IFossil; zope.interface has no types to say so."""

InterfaceArg: TypeAlias = Any
"""A fossil, a mapping from classes to fossils, or None."""

Class = TypeVar("Class", bound=type)


class IFossil(Interface):
    """The root of all fossils."""


class InvalidFossilException(Exception):  # noqa: N818 (documented name)
    """A fossil's name is not `I...Fossil`, or a method has no name that makes a field."""


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
        class_name = type(obj).__name__
        result = {
            "_type": mapClassType.get(class_name, class_name),
            "_fossil": _exported_name(fossil),
        }
        try:
            for method in _methods(fossil):
                _add_field(result, obj, method, useAttrCache, mapClassType, kwargs)
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


def addFossil(klass: type, fossils: Fossil | Iterable[Fossil]) -> None:
    """Declare one fossil or several for an existing class, after those it has declared."""
    added = (fossils,) if isinstance(fossils, InterfaceClass) else tuple(fossils)
    setattr(klass, DECLARED, (*klass.__dict__.get(DECLARED, ()), *added))
    classImplements(klass, *added)


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


def _exported_name(fossil: Fossil) -> str:
    if not FOSSIL_NAME.match(fossil.__name__):
        raise InvalidFossilException(
            f"Invalid fossil name: {fossil.__name__}. "
            r"A fossil name should follow the pattern: I(\w+)Fossil."
        )
    own: str | None = fossil.queryDirectTaggedValue("fossil")
    return own or fossil.__name__[1].lower() + fossil.__name__[2:]


def _methods(fossil: Fossil) -> Iterator[Any]:
    return (fossil[name] for name in fossil.names(all=True))


def _add_field(
    result: dict[str, Any],
    obj: Any,
    method: Method,
    use_cache: bool,
    class_names: Mapping[str, str],
    keywords: Mapping[str, Any],
) -> None:
    tags = {tag: method.getTaggedValue(tag) for tag in method.getTaggedValueTags()}
    if "onlyIf" in tags and not keywords.get(tags["onlyIf"]):
        return
    value, is_attribute = _value(obj, method.__name__, tags, use_cache)
    accepts = _filter(tags["filterBy"], keywords) if "filterBy" in tags else None
    if "result" in tags:
        value = Fossilizable.fossilizeIterable(
            value, tags["result"], filterBy=accepts, mapClassType=class_names, **keywords
        )
    if "convert" in tags:
        convert = tags["convert"]
        accepted = {name: keywords[name] for name in _keywords_of(convert) if name in keywords}
        value = convert(value, **accepted)
    _store(result, tags.get("name") or _field_name(method.__name__, is_attribute), value)


def _value(obj: Any, name: str, tags: Mapping[str, Any], use_cache: bool) -> tuple[Any, bool]:
    if "produce" in tags:
        return tags["produce"](obj), False
    oid = getattr(obj, "_p_oid", None) if use_cache else None
    if oid is not None and (oid, name) in _cache.values:
        return _cache.values[oid, name]
    member = getattr(obj, name)
    read = (member(), False) if callable(member) else (member, True)
    if oid is not None:
        _cache.values[oid, name] = read
    return read


def _filter(name: str, keywords: Mapping[str, Any]) -> Callable[[Any], bool]:
    if "filters" not in keywords:
        raise LookupError(f"No filters defined! The tag filterBy asks for {name!r}")
    filters: Mapping[str, Callable[[Any], bool]] = keywords["filters"]
    if name not in filters:
        raise LookupError(f"No filter {name!r} defined!")
    return filters[name]


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


def _store(result: dict[str, Any], name: str, value: Any) -> None:
    if name in RESERVED:
        raise InvalidFossilException('"_type" or "_fossil" cannot be a fossil attribute  name')
    *outer, last = name.split(".")
    for part in outer:
        result = result.setdefault(part, {})
    result[last] = value


@functools.lru_cache(maxsize=1024)
def _keywords_of(convert: Callable[..., Any]) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(convert).parameters.values())
    except ValueError:  # a built-in without a signature
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter.name for parameter in parameters[1:] if parameter.kind in named)
