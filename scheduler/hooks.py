"""Hooks into the life of tasks, by their documented names."""

from scheduler.runtime.hook_registry import REGISTRY
from scheduler.tasks.hooks import AttemptEvent, Hooks, WorkerEvent

add = REGISTRY.add
remove = REGISTRY.remove

__all__ = ["AttemptEvent", "Hooks", "WorkerEvent", "add", "remove"]
