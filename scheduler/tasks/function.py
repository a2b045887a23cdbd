"""Functions that are declared as tasks, with `@task`: their calls are enqueued by their methods."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.clock import later, nowutc
from scheduler.store import connection_of
from scheduler.tasks.call import CallTask, call_of
from scheduler.tasks.composite import Step
from scheduler.tasks.entering import enter, enter_after
from scheduler.tasks.function_schedule import schedule_of
from scheduler.tasks.options import TaskOptions, checked
from scheduler.tasks.prerequisites import When

if TYPE_CHECKING:
    from typing import Unpack

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
C = TypeVar("C")
"""The result of the plain call: that of the function, or its coroutine."""

# The names of other libraries, by the method that does the same here.
ELSEWHERE = {
    "enqueue(...)": ("delay", "send", "defer", "apply_async", "push", "spawn", "submit", "queue"),
    "enqueueAt(date, ...)": ("enqueue_at", "schedule", "apply_at", "send_at"),
    "step(...)": ("s", "si", "signature", "subtask", "message"),
    "enqueueIn(seconds, ...)": ("enqueue_in", "send_with_options", "apply_in", "delay_in"),
}


class Enqueuer(Generic[P, R]):
    """Enqueues calls of a function, in the transaction of one connection."""

    _connection: Connection | None = None  # None stands for the current one
    _prerequisites: tuple[Step, ...] = ()
    _when: When = "finished"

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> CallTask[R]:
        """Enqueue a call, in the connection's transaction; return its task.

        Raises TypeError for arguments that the function does not take or that cannot be stored.
        """
        return self._enqueue(nowutc(), args, kwargs)

    def enqueueAt(self, date: datetime, /, *args: P.args, **kwargs: P.kwargs) -> CallTask[R]:
        """Enqueue a call to be made at *date* (aware); return its task."""
        return self._enqueue(date, args, kwargs)

    def enqueueIn(
        self, seconds: float | timedelta, /, *args: P.args, **kwargs: P.kwargs
    ) -> CallTask[R]:
        """Enqueue a call to be made in so many *seconds*; return its task."""
        if isinstance(seconds, timedelta):
            seconds = seconds.total_seconds()
        return self._enqueue(later(nowutc(), seconds), args, kwargs)

    def after(self, *steps: Step, when: When = "finished") -> Enqueuer[P, R]:
        """Return that which enqueues calls to be made when *steps* have ended.

        `Client.enqueue` says what *when* means. The results of the steps are the inputs of the
        call (`scheduler.attempt.inputs`).
        """
        return _BoundFunction(self._function(), self._connection, steps, when)

    def _enqueue(self, date: datetime, args: Any, kwargs: Any) -> CallTask[R]:
        call: CallTask[R] = call_of(date, self._function(), args, kwargs)
        connection = connection_of(self._connection)
        if self._prerequisites:
            enter_after(call, self._prerequisites, self._when, connection)
        else:
            enter(call, connection)
        return call

    def _function(self) -> TaskFunction[P, R, Any]:
        """Return the function that is called; overridden by each way to enqueue."""
        raise NotImplementedError(f"{type(self).__name__} does not override _function()")


class TaskFunction(Enqueuer[P, R], Generic[P, R, C]):
    """A function with the options of its calls as tasks; called itself, it is the plain function.

    Raises TypeError or ValueError for options that are none.
    """

    def __init__(self, function: Callable[P, Any], options: TaskOptions) -> None:
        self.function = function
        self.options = checked(options, function)
        update_wrapper(self, function)
        if schedule_of(options) is not None:
            SCHEDULED[function.__module__, function.__qualname__] = self
        if options.get("http"):
            CALLED_BY_HTTP[f"{function.__module__}.{function.__qualname__}"] = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C:
        """Call the function, here and now."""
        result: C = self.function(*args, **kwargs)
        return result

    def step(self, *args: P.args, **kwargs: P.kwargs) -> CallTask[R]:
        """Return a call for a place in a chain or group, or for `Client.enqueue`.

        Raises TypeError for arguments that the function does not take or that cannot be stored.
        """
        call: CallTask[R] = call_of(nowutc(), self, args, kwargs)
        return call

    def using(self, connection: Connection | Persistent) -> Enqueuer[P, R]:
        """Return what enqueues calls in the transaction of *connection*, not the current one.

        *connection* may be an object that is stored in one.
        """
        return _BoundFunction(self, connection_of(connection))

    def __get__(
        self: TaskFunction[Concatenate[S, P2], R, C], obj: S | None, owner: type | None = None
    ) -> TaskFunction[P2, R, C]:
        """Return the method of *obj* where this is a function of its class."""
        if obj is None:
            return self  # type: ignore[return-value]
        return TaskFunction(MethodType(self.function, obj), self.options)

    def __repr__(self) -> str:
        return f"<task {self.function.__module__}.{self.function.__qualname__}>"

    def __reduce__(self) -> str:
        return self.function.__qualname__  # pickled by its name, as functions are

    def _function(self) -> TaskFunction[P, R, Any]:
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            right = next((call for call, names in ELSEWHERE.items() if name in names), None)
            called = self.__dict__.get("__qualname__", "the function")
            if right is None:
                raise AttributeError(f"the task {called} has no attribute {name!r}")
            raise AttributeError(f"the task {called} has no {name}(): call {called}.{right}")


P2 = ParamSpec("P2")

SCHEDULED: dict[tuple[str, str], TaskFunction[..., Any, Any]] = {}
"""The functions of this process that declare a schedule, by module and name."""

CALLED_BY_HTTP: dict[str, TaskFunction[..., Any, Any]] = {}
"""The functions of this process that may be called over HTTP, by dotted name."""


AsyncFunction: TypeAlias = TaskFunction[P, R, Coroutine[Any, Any, R]]


class _BoundFunction(Enqueuer[P, R]):
    """Enqueues calls of a declared function, by a given connection or after given steps."""

    def __init__(
        self,
        function: TaskFunction[P, R, Any],
        connection: Connection | None,
        prerequisites: tuple[Step, ...] = (),
        when: When = "finished",
    ) -> None:
        self._declared = function
        self._connection = connection
        self._prerequisites = prerequisites
        self._when = when

    def _function(self) -> TaskFunction[P, R, Any]:
        return self._declared


class Decorator:
    """Makes a function a task with the given options; it keeps the types of the function."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = checked(options)

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> AsyncFunction[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R]) -> TaskFunction[P, R, R]: ...

    def __call__(self, function: Callable[P, Any]) -> TaskFunction[P, Any, Any]:
        """Return *function* as a task with the options."""
        return TaskFunction(function, self._options)


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncFunction[P, R]: ...


@overload
def task(function: Callable[P, R], /) -> TaskFunction[P, R, R]: ...


@overload
def task(**options: Unpack[TaskOptions]) -> Decorator: ...


def task(function: Any = None, /, **options: Any) -> Any:
    """Declare a function as a task: `@task` or `@task(maxTries=3)`.

    Then `function.enqueue(...)`, `enqueueAt(date, ...)`, `enqueueIn(seconds, ...)`. The options
    are those of `TaskOptions`. Raises TypeError or ValueError for one that there is not, or
    whose value is none.
    """
    if function is None:
        return Decorator(options)  # type: ignore[arg-type]
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"{function!r} is no function: write @task or @task(maxTries=3)")
    return Decorator(options)(function)  # type: ignore[arg-type]
