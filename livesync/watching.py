"""Watched classes, by their documented names."""

from livesync.capture.watch import (
    install,
    unwatch,
    watch,
)

__all__ = [
    "install",
    "unwatch",
    "watch",
]
