"""A watched class, by names: loading it needs no code of the application."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, NamedTuple, TypeAlias

from persistent import Persistent
from transaction.interfaces import TransientError
from ZODB.broken import Broken
from ZODB.POSException import POSError

from livesync.errors import IdentifyException, WatchException
from scheduler.store.moved import current_name
from scheduler.values.named_object import named_object

log = logging.getLogger(__name__)

Id: TypeAlias = str | int
Identify: TypeAlias = Callable[[Any], Id]

RENAMES = "zodbupdate"
"""The entry points by which packages tell zodbupdate of the classes that they have renamed."""


class WatchedClass(NamedTuple):
    """A watched class and the function that identifies its objects, each as `module:name`."""

    name: str
    identify: str = ""
    """The function that returns the id of an object; empty for the id that it has of its own."""
    since: int = 0
    """The last transaction before it was entered: what is committed later has to be recorded."""
    fossil: str = ""
    """The fossil that shows its objects; empty for a class that is not exposed."""
    agents: tuple[str, ...] | None = None
    """The agents that may send its objects, by their ids; None for all."""
    address: str = ""
    """The word after /export/ in the address of its objects; empty for none."""

    @classmethod
    def of(cls, kind: type[Persistent], identify: Identify | str | None = None) -> WatchedClass:
        """Return how *kind* is watched; raises WatchException if that is not possible."""
        if not isinstance(kind, type) or not issubclass(kind, Persistent):
            shown = getattr(kind, "__qualname__", repr(kind))
            raise WatchException(
                f"{shown} cannot be watched: it is not persistent; derive the class from "
                "persistent.Persistent"
            )
        return cls(name_of(kind, "the class"), _identify_name(kind, identify))

    @property
    def kind(self) -> str:
        """The kind of its objects in changes and records."""
        return self.name.replace(":", ".")

    def identity_of(self, obj: Any) -> Id | None:
        """Return the id of *obj* by the function; None if that cannot be called in this process.

        Raises IdentifyException if it fails, or returns no id.
        """
        if isinstance(obj, Broken):
            return None  # the function would look at what is not there
        function = _function(self.identify)
        if isinstance(function, str):
            return None
        try:
            found = function(obj)
        except (TransientError, POSError):
            raise  # the fault of the database
        except Exception as error:
            raise IdentifyException(
                f"{self.identify} cannot identify an object of {self.kind}: "
                f"{type(error).__name__}: {error}; nothing is stored: make it return an id for "
                "each object"
            ) from error
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise IdentifyException(
                f"{self.identify} returned {found!r} for an object of {self.kind}; nothing is "
                "stored: make it return a text or a number for each object"
            )
        return found

    def shape(self) -> Any:
        """Return the fossil; raises WatchException if it cannot be imported."""
        found = _found(current_name(self.fossil))
        if isinstance(found, str):
            raise WatchException(f"objects of {self.kind} cannot be shown: {found}")
        return found

    def fault(self) -> str:
        """Return what of it cannot be found in this process; empty if all can."""
        names = filter(None, (self.identify, self.fossil))
        parts = [_class(self.name), *(_found(current_name(name)) for name in names)]
        return next((found for found in parts if isinstance(found, str)), "")

    def resolve(self) -> type | None:
        """Return the class; None if it cannot be imported."""
        found = _class(self.name)
        return None if isinstance(found, str) else found


def present_name(name: str) -> str:
    """Return where the class *name* is now: it may have moved, or been renamed since."""
    return _renames().get(current_name(name), current_name(name))


def _identify_name(kind: type, identify: Identify | str | None) -> str:
    if identify is None:
        return ""
    if isinstance(identify, str):
        found = _found(identify)
        if isinstance(found, str):
            raise WatchException(f"{kind.__qualname__} cannot be watched: {found}")
        identify = found
    if not callable(identify):
        raise WatchException(
            f"{kind.__qualname__} cannot be watched: identify is {identify!r}; give a function "
            "that returns the id of an object"
        )
    return name_of(identify, f"identify of {kind.__qualname__},")


def name_of(thing: Any, role: str) -> str:
    """Return *thing* as `module:name`; raises WatchException, naming its *role*, if it has none."""
    own = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    name = f"{getattr(thing, '__module__', None)}:{own}"
    if _in_modules(name) is not thing:
        shown = name if own else repr(thing)
        raise WatchException(
            f"{role} {shown} is not found by its name: define it in a module, outside functions, "
            "so that every process finds it"
        )
    return name


def _in_modules(name: str) -> Any:
    """Return what *name* is in the modules that are imported; None if it is in none."""
    module, _, attribute = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    return found


def _class(name: str) -> type | str:
    """Return the class *name*, or why it cannot be had."""
    found = _found(present_name(name))
    if isinstance(found, str) or (isinstance(found, type) and issubclass(found, Persistent)):
        return found
    return f"{name} is no class of persistent objects"


def _function(name: str) -> Identify | str:
    found: Identify | str = _found(current_name(name))
    if isinstance(found, str):
        _complain(f"changes are recorded without an id, which is found when they are sent: {found}")
    return found


def _found(name: str) -> Any:
    """Return what is found as *name*, or a text that says why nothing is."""
    try:
        return named_object(name)
    except Exception as error:  # noqa: BLE001 (importing runs code of the application)
        return f"{name} cannot be imported: {type(error).__name__}: {error}"


@cache
def _complain(text: str) -> None:
    """Log *text* once in this process."""
    log.error("%s", text)


@cache
def _renames() -> dict[str, str]:
    """Return the present names of classes that installed packages have renamed, by former ones."""
    found: dict[str, str] = {}
    for each in entry_points(group=RENAMES):
        try:
            for former, present in each.load().items():
                found[former.replace(" ", ":")] = present.replace(" ", ":")
        except Exception:
            log.exception("the renames of %s cannot be read", each.value)
    return found
