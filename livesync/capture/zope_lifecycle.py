"""Lifecycle events: what `zope.lifecycleevent` announces is recorded like the model's changes.

Needs that package, which is not installed with this one.
"""

from __future__ import annotations

from typing import Any

import zope.event
from persistent import Persistent
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectMovedEvent,
    IObjectRemovedEvent,
)

from livesync.capture.listeners import ObjectChangeListener

_listener = ObjectChangeListener()


def connect() -> None:
    """Have the events of persistent objects recorded from now on, in this process."""
    if _on_event not in zope.event.subscribers:
        zope.event.subscribers.append(_on_event)


def disconnect() -> None:
    """Have none recorded any more."""
    if _on_event in zope.event.subscribers:
        zope.event.subscribers.remove(_on_event)


def _on_event(event: Any) -> None:
    obj = getattr(event, "object", None)
    if not isinstance(obj, Persistent):
        return
    if IObjectAddedEvent.providedBy(event):
        _listener.created(obj, event.newParent)
    elif IObjectRemovedEvent.providedBy(event):
        _listener.deleted(obj, event.oldParent)
    elif IObjectMovedEvent.providedBy(event):
        _listener.moved(obj, event.oldParent, event.newParent)
    elif IObjectModifiedEvent.providedBy(event):
        _listener.infoChanged(obj)
