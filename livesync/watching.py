"""Watched classes, by their documented names."""

from livesync.capture.watched_classes import (
    unwatch,
    watch,
)

__all__ = [
    "unwatch",
    "watch",
]
