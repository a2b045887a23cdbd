"""The listeners, by their documented names (reference 5)."""

from livesync.capture.listeners import (
    ObjectChangeListener,
    RequestListener,
    RequestListenerContext,
    connect,
    disconnect,
)

__all__ = [
    "ObjectChangeListener",
    "RequestListener",
    "RequestListenerContext",
    "connect",
    "disconnect",
]
