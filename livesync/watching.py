"""Watched classes, by their documented names."""

from livesync.capture.expose import expose
from livesync.capture.watch import (
    install,
    unwatch,
    watch,
)

__all__ = [
    "expose",
    "install",
    "unwatch",
    "watch",
]
