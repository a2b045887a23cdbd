"""The HTTP client for tasks, by its documented name."""

from scheduler.runtime.http import (
    TaskClient,
)

__all__ = [
    "TaskClient",
]
