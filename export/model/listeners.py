"""Listeners to changes of the model; each announcement calls all of them at once.

A listener is any object with the methods below; it is called inside the transaction that makes
the change, so what it records is committed or lost with it. The announcements are

- `created(obj, owner)`, `deleted(obj, oldOwner)`, `moved(obj, fromOwner, toOwner)`;
- `infoChanged(obj)`, and for titles `categoryTitleChanged(obj, old, new)`,
  `eventTitleChanged(obj, old, new)`, `contributionTitleChanged(obj, old, new)`;
- `protectionChanged(obj, old, new)`, `accessGranted(obj, who)`, `accessRevoked(obj, who)`,
  `modificationGranted(obj, who)`, `modificationRevoked(obj, who)`;
- `accessDomainAdded(obj, domain)`, `accessDomainRemoved(obj, domain)`;
- `started(schedule)`, `stopped(schedule)`: an instance of a room's schedule begins and ends.

A listener that lacks a method does not care about that change.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

ENTRY_POINTS = "zodb_relay.listeners"

_listeners: list[Any] = []


def subscribe(listener: Any) -> None:
    """Add *listener*; it hears every change from now on, once even if it is added twice."""
    if listener not in _listeners:
        _listeners.append(listener)


def unsubscribe(listener: Any) -> None:
    """Remove *listener* if it is subscribed."""
    if listener in _listeners:
        _listeners.remove(listener)


def announce(change: str, *args: Any) -> None:
    """Call the method named *change* of every listener; what one raises ends the change."""
    for listener in tuple(_listeners):
        method = getattr(listener, change, None)
        if method is not None:
            method(*args)


def subscribe_installed() -> list[Any]:
    """Subscribe one listener of every class that installed packages offer; return them.

    They are entry points of the group `zodb_relay.listeners`. A class that is subscribed
    already is not subscribed again; one that cannot be loaded raises its own error.
    """
    classes = {entry.value: entry.load() for entry in entry_points(group=ENTRY_POINTS)}
    found = [_of_class(klass) or klass() for klass in classes.values()]
    for listener in found:
        subscribe(listener)
    return found


def _of_class(klass: type) -> Any | None:
    return next((listener for listener in _listeners if type(listener) is klass), None)
