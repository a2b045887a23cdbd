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
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from persistent import Persistent
from zope.interface import classImplements
from zope.interface.interface import InterfaceClass

from export.fossil_plan import (
    Fossil,
    FossilField,
    IFossil,
    InterfaceArg,
    InvalidFossilException,
    forget_values,
    plan_of,
)

__all__ = [
    "Fossilizable",
    "IFossil",
    "InvalidFossilException",
    "NonFossilizableException",
    "addFossil",
    "clearCache",
    "fossilize",
    "fossilizes",
]

log = logging.getLogger(__name__)

DECLARED = "__fossils__"
ATOMS = (
    type(None), bool, int, float, str, bytes, decimal.Decimal,
    datetime.date, datetime.time, datetime.timedelta,
)  # fmt: skip

Class = TypeVar("Class", bound=type)


class NonFossilizableException(Exception):  # noqa: N818 (documented name)
    """No fossil is given for the object, and its class declares none."""


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
        which *filterBy* is true; so do objects that only wrap one, as their sole attribute, and
        that no fossil suits. Raises NonFossilizableException.
        """
        if isinstance(target, Fossilizable):
            return target.fossilize(interface, useAttrCache, **kwargs)
        is_list = isinstance(target, list | tuple)  # asked first, as it is most often so
        if not is_list and isinstance(target, ATOMS):
            return target

        def again(member: Any) -> Any:
            return cls.fossilizeIterable(member, interface, useAttrCache, **kwargs)

        if not is_list and isinstance(target, Mapping):
            return {key: again(value) for key, value in target.items()}
        if is_list or isinstance(target, Iterable):
            return [again(member) for member in target if filterBy is None or filterBy(member)]
        wrapped = _wrapped(target, interface)
        if wrapped is not None:
            return cls.fossilizeIterable(wrapped, interface, useAttrCache, filterBy, **kwargs)
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
        plan = plan_of(fossil)
        class_name = type(obj).__name__
        result = {
            "_type": mapClassType.get(class_name, class_name),
            "_fossil": plan.exported_name,
        }
        try:
            for field in plan.fields:
                if field.only_if is not None and not kwargs.get(field.only_if):
                    continue
                value, is_attribute = field.read_cached(obj) if useAttrCache else field.read(obj)
                if not field.is_plain:
                    value = _treated(value, field, mapClassType, kwargs)
                name = field.plain_names[is_attribute]
                if name is not None:
                    result[name] = value
                else:
                    field.put(result, value, is_attribute)
        except (InvalidFossilException, NonFossilizableException):
            raise
        except Exception:
            log.exception("Problem fossilizing %r with %s", obj, fossil.__name__)
            raise
        return result

    @classmethod
    def clearCache(cls) -> None:
        """Forget the attribute values kept for this thread."""
        forget_values()


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
        raise NonFossilizableException(
            f"interfaceArg is an object of class {type(argument).__name__}; it must be a fossil "
            "(an interface derived from IFossil), a dict of fossils by class, or None: call "
            "obj.fossilize(fossil), or fossilize(obj, fossil)"
        )
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


def _wrapped(obj: Any, argument: InterfaceArg) -> Iterable[Any] | None:
    """Return the iterable that *obj* does nothing but wrap; None for any other object."""
    if isinstance(obj, Persistent):
        obj._p_activate()
    attributes = list(getattr(obj, "__dict__", {}).values())
    if len(attributes) != 1 or isinstance(attributes[0], (*ATOMS, Mapping)):
        return None
    if not isinstance(attributes[0], Iterable):
        return None
    try:
        suits = plan_of(_fossil_for(obj, argument)).suits(obj)
    except NonFossilizableException:
        suits = False
    return None if suits else attributes[0]


def _class_keys(klass: type) -> Iterator[Any]:
    """Yield what may stand for *klass* in a dictionary; a class in a function has two names."""
    for one in klass.__mro__:
        yield f"{one.__module__}.{one.__qualname__}"
        yield f"{one.__module__}.{one.__name__}"
        yield one
        yield one.__name__


def _treated(
    value: Any, field: FossilField, class_names: Mapping[str, str], keywords: Mapping[str, Any]
) -> Any:
    """Return *value* fossilized and converted, as the tags of *field* say."""
    accepts = field.accepts(keywords)
    if field.has_result and not value and isinstance(value, list | tuple):
        value = []
    elif field.has_result and value is not None:
        value = Fossilizable.fossilizeIterable(
            value, field.result, filterBy=accepts, mapClassType=class_names, **keywords
        )
    return value if field.convert is None else field.converted(value, keywords)
