"""The names of tasks, as lists, logs and commands show them: of a class, or of a function."""

from __future__ import annotations

from pickletools import genops
from typing import Any

from scheduler.storage.internals import record_of
from scheduler.storage.outage import is_transient
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle


def name_of(task: Any) -> str:
    """Return the dotted name of the class of *task*, or of the function that it calls.

    A task is loaded only if it is a call, or a run of a task that is one.
    """
    if not _has_own_name(task):
        return class_name(task)
    try:
        return TaskHandle(task).full_name or class_name(task)
    except Exception as error:
        if is_transient(error):
            raise
        return unread_name_of(task)


def arguments_of(task: Any) -> str | None:
    """Return the arguments of a call, shortened; None for a task of another class."""
    if not _has_own_name(task):
        return None
    try:
        return TaskHandle(task).shown_arguments
    except Exception as error:
        if is_transient(error):
            raise
        return "..."


def title_of(task: Any) -> str:
    """Return the name of *task*, as `title` does."""
    return title(name_of(task), arguments_of(task))


def title(name: str, arguments: str | None) -> str:
    """Return `module.function(arguments)` for a call, the name of the class alone for others."""
    return name.rpartition(".")[2] if arguments is None else f"{name}({arguments})"


def class_name(obj: Any) -> str:
    """Return the full name of the class of *obj*, even if that class is missing."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def dotted(path: str) -> str:
    """Return the stored *path*, `module:name`, as a dotted name."""
    return path.replace(":", ".")


def _has_own_name(task: Any) -> bool:
    return isinstance(task, BaseTask) and TaskHandle.has_own_name(type(task))


def unread_name_of(task: Any) -> str:
    """Return the name of *task* without loading it: a call's from its stored record."""
    if not _has_own_name(task):
        return class_name(task)
    try:
        return called_by(record_of(task)) or class_name(task)
    except Exception as error:
        if is_transient(error):
            raise
        return class_name(task)


def called_by(record: bytes) -> str | None:
    """Return the dotted name of the function that the call stored as *record* calls."""
    # The record is two pickles, of its class and its state; none of its classes is imported.
    end = max(position or 0 for _, _, position in genops(record)) + 1
    texts = (text for _, text, _ in genops(record[end:]) if isinstance(text, str))
    name = next((next(texts, None) for text in texts if text == "_name"), None)
    return None if name is None else dotted(name)
