"""Functions as tasks: a call of a function, or of a stored object's method, to be made later."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from persistent import Persistent

from scheduler.clock import nowutc
from scheduler.retry import Retry
from scheduler.store import current
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.size import MB, ScriptError, refuse, refuse_script, size_of
from scheduler.values.named_object import named_object

P = ParamSpec("P")
R = TypeVar("R")

KEY_LENGTH = 200


class CallTask(OneShotTask, Generic[R]):
    """Calls *function* with *args* and *kwargs*, once; what that returns is its result.

    The function is kept by the name of its module and its own, or as a method by its object;
    arguments may be persistent objects. A coroutine function is run in an event loop of its own.
    Raises TypeError for a function that cannot be found again by its name, for arguments that it
    does not take, and for ones that cannot be stored.
    """

    _receiver: Persistent | None = None
    _kwargs: Mapping[str, Any] = {}

    def __init__(
        self,
        startDateTime: datetime,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(startDateTime)
        receiver = getattr(function, "__self__", None)
        if isinstance(receiver, Persistent):
            self._receiver, self._name = receiver, function.__name__
        else:
            self._name = path_of(function)
        self._v_size = _check_arguments(function, args, kwargs or {})
        self._args = args
        if kwargs:
            self._kwargs = dict(kwargs)

    def _refuse_large(self, limit: float) -> None:
        """Raise TooLarge where the arguments, measured when they were checked, are too large."""
        if limit and getattr(self, "_v_size", 0) > limit * MB:
            refuse(f"the arguments of {self._name}", limit)

    def getFunction(self) -> Callable[..., Any]:
        """Return the function; ImportError or AttributeError where it is not there any more."""
        if self._receiver is not None:
            method: Callable[..., Any] = getattr(self._receiver, self._name)
            return method
        return found(self._name)

    def run(self) -> R:
        """Make the call."""
        made = self.getFunction()(*self._args, **self._kwargs)
        result: R = asyncio.run(made) if inspect.iscoroutine(made) else made
        return result

    def getResult(self) -> R | None:
        """Return what the function returned; None before it has."""
        result: R | None = super().getResult()
        return result


class TunedCallTask(CallTask[R]):
    """A call of a function that `task` has given options."""

    alone = True

    @property
    def _options(self) -> Options:
        function = self.getFunction()
        return function.options if isinstance(function, TaskFunction) else Options()

    @property
    def maxTries(self) -> int | None:  # type: ignore[override]
        """How often the call is tried."""
        return self._options.maxTries

    @property
    def retries(self) -> Mapping[type[BaseException], Retry]:  # type: ignore[override]
        """How the call is tried again, by what it failed with."""
        return self._options.retries

    @property
    def softLimit(self) -> float | None:  # type: ignore[override]
        """The soft limit of the call, in seconds."""
        return self._options.softLimit

    @property
    def hardLimit(self) -> float | None:  # type: ignore[override]
        """The hard limit of the call, in seconds."""
        return self._options.hardLimit

    @property
    def queueName(self) -> str:  # type: ignore[override]
        """The named queue that the call waits in."""
        return self._options.queueName

    @property
    def priority(self) -> int:  # type: ignore[override]
        """The priority of the call."""
        return self._options.priority

    @property
    def uniqueFor(self) -> float:  # type: ignore[override]
        """For how many seconds the call keeps its equals away."""
        return self._options.uniqueFor

    @property
    def uniqueReplaces(self) -> bool:  # type: ignore[override]
        """Whether the call takes the place of its waiting equal."""
        return self._options.uniqueReplaces

    def uniqueKey(self) -> str | None:
        """Return the call as a text, where there is to be one of it at a time."""
        if not self._options.unique:
            return None
        call = f"{self._name}{_plain((self._receiver, self._args, self._kwargs))}"
        if len(call) <= KEY_LENGTH:
            return call
        return f"{self._name} {hashlib.sha256(call.encode()).hexdigest()}"


@dataclass(frozen=True)
class Options:
    """What `task` says about the calls of a function; times are seconds."""

    maxTries: int | None = None
    retries: Mapping[type[BaseException], Retry] = field(default_factory=dict)
    softLimit: float | None = None
    hardLimit: float | None = None
    queueName: str = ""
    priority: int = 0
    unique: bool = False
    uniqueFor: float = 0
    uniqueReplaces: bool = False


class TaskFunction(Generic[P, R]):
    """A function with what goes for its calls as tasks; called itself, it is the plain function."""

    def __init__(self, function: Callable[P, Any], options: Options) -> None:
        self.function = function
        self.options = options
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, here and now."""
        result: R = self.function(*args, **kwargs)
        return result

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> CallTask[R]:
        """Enqueue a call, in the current connection's transaction; return its task."""
        return self.enqueueAt(nowutc(), *args, **kwargs)

    def enqueueAt(self, date: datetime, *args: P.args, **kwargs: P.kwargs) -> CallTask[R]:
        """Enqueue a call to be made at *date* (aware); return its task."""
        call: CallTask[R] = call_of(date, self, args, kwargs)
        call._enter(current())
        return call


class _Decorator:
    """What `task` with options returns; it keeps the types of the function."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> TaskFunction[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R]) -> TaskFunction[P, R]: ...

    def __call__(self, function: Callable[P, Any]) -> TaskFunction[P, Any]:
        return TaskFunction(function, self._options)


def task(**options: Any) -> _Decorator:
    """Let a function be enqueued as a task: `@task(maxTries=3)`, then `function.enqueue(...)`.

    Options are those of `Options`: `maxTries`, `retries`, `softLimit`, `hardLimit`,
    `queueName` and `priority` as in a task's class; `unique` for one call at a time with the
    same arguments, with `uniqueFor` and `uniqueReplaces`. Raises TypeError for an unknown one.
    """
    return _Decorator(Options(**options))


def call_of(
    date: datetime, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> CallTask[Any]:
    """Return a task that calls *function* at *date*."""
    is_tuned = isinstance(function, TaskFunction) and function.options != Options()
    kind = TunedCallTask if is_tuned else CallTask
    return kind(date, function, args, kwargs)


def path_of(function: Callable[..., Any]) -> str:
    """Return `module:name` of *function*; TypeError where that would not lead back to it."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not callable(function) or module is None or name is None:
        raise TypeError(f"{function!r} is no function: give one that a module defines")
    if "<" in name:
        raise TypeError(
            f"{module}.{name} cannot be found again by its name: define it at the top of a module"
        )
    refuse_script(getattr(function, "function", function))
    path = f"{module}:{name}"
    if found(path) is not function:
        raise TypeError(f"{path} is not the function that was given: it goes by another name")
    return path


@cache
def found(path: str) -> Callable[..., Any]:
    """Return the function that *path* leads to; ImportError or AttributeError without one."""
    function: Callable[..., Any] = named_object(path)
    return function


def _check_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> int:
    """Return how many bytes the arguments take as they are stored; TypeError if they do not fit."""
    name = getattr(function, "__qualname__", function)
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name} does not take these arguments: {error}") from None
    try:
        return size_of((args, kwargs))
    except ScriptError:
        raise
    except Exception as error:
        raise TypeError(f"the arguments of {name} cannot be stored: {error}") from error


def _plain(value: Any) -> str:
    """Return *value* as a text that is the same for equal arguments."""
    if isinstance(value, Persistent):
        return f"<{(value._p_oid or b'').hex()}>"
    if isinstance(value, Mapping):
        items = sorted((_plain(key), _plain(each)) for key, each in value.items())
        return "{" + ", ".join(f"{key}: {each}" for key, each in items) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_plain, value)) + ")"
    return repr(value)
