"""Functions as tasks: a call of a function, or of a stored object's method, to be made later."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from persistent import Persistent

from scheduler.clock import later
from scheduler.runtime.coroutines import result_of
from scheduler.store.sealed_value import SealedValue, sealed
from scheduler.tasks.base import BaseTask
from scheduler.tasks.naming import class_name, dotted
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.options import DeclaredOptions, FunctionOption, Key, key_of
from scheduler.tasks.size import MB, ScriptError, refuse, refuse_script, size_of
from scheduler.values.named_object import named_object
from scheduler.values.shown import ENCRYPTED, MASKED, is_secret, shown_call

R = TypeVar("R")

Arguments: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]

KEY_LENGTH = 200


class CallTask(OneShotTask, Generic[R]):
    """Calls *function* with *args* and *kwargs*, once; what that returns is its result.

    The function is kept by the name of its module and its own, or as a method by its object;
    arguments may be persistent objects. A coroutine function is run in an event loop of its own.
    Raises TypeError for a function that cannot be found again by its name, for arguments that it
    does not take, and for ones that cannot be stored.
    """

    _receiver: Persistent | None = None
    _args: Any = ()
    _kwargs: Mapping[str, Any] = {}
    _secret: tuple[int, ...] = ()  # which of the arguments nobody is shown

    def __init__(
        self,
        startDateTime: datetime,
        function: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        expiryDate: datetime | None = None,
    ) -> None:
        super().__init__(startDateTime, expiryDate)
        receiver = getattr(getattr(function, "function", function), "__self__", None)
        if isinstance(receiver, Persistent):
            refuse_script(receiver)
            self._receiver, self._name = receiver, function.__name__
        else:
            self._name = path_of(function)
        self._v_size = _check_arguments(function, args, kwargs or {})
        secret = _secret_arguments(function, args)
        if secret:
            self._secret = secret
        if options_of(function).get("encrypted"):
            self._args = sealed((args, dict(kwargs or {})))
        else:
            self._args = args
            if kwargs:
                self._kwargs = dict(kwargs)

    def _arguments(self) -> Arguments:
        """Return the arguments by position, and by name. Raises SecretUnreadable."""
        if isinstance(self._args, SealedValue):
            args, kwargs = self._args.open()
            return args, kwargs
        return self._args, self._kwargs

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

    def _full_name(self) -> str:
        if self._receiver is not None:
            return f"{class_name(self._receiver)}.{self._name}"
        return dotted(self._name)

    def _short_name(self) -> str:
        return self._full_name()

    def _shown_arguments(self) -> str:
        if isinstance(self._args, SealedValue):
            return ENCRYPTED
        args = [MASKED if at in self._secret else each for at, each in enumerate(self._args)]
        receiver = () if self._receiver is None else (self._receiver,)
        return shown_call((*receiver, *args), self._kwargs)

    def run(self) -> R:
        """Make the call."""
        args, kwargs = self._arguments()
        result: R = called(self.getFunction(), *args, **kwargs)
        return result

    def getResult(self) -> R | None:
        """Return what the function returned; None before it has."""
        result: R | None = super().getResult()
        return result


class FunctionOptions:
    """The attributes of a task that are looked up in the options of the function it calls."""

    maxTries = FunctionOption()
    retries = FunctionOption()
    softLimit = FunctionOption()
    hardLimit = FunctionOption()
    queueName = FunctionOption()
    priority = FunctionOption()
    keyLimit = FunctionOption()
    keyRate = FunctionOption()
    keyPeriod = FunctionOption()
    inOrder = FunctionOption()
    uniqueFor = FunctionOption()
    uniqueReplaces = FunctionOption()
    uniqueStates = FunctionOption()
    longestWait = FunctionOption()
    keepFinished = FunctionOption()
    keepFailed = FunctionOption()

    encrypted = FunctionOption()

    if TYPE_CHECKING:

        def _arguments(self) -> Arguments: ...

    def getFunction(self) -> Callable[..., Any]:
        """Return the function; ImportError or AttributeError where it is not there any more."""
        raise NotImplementedError(f"{type(self).__name__} does not override getFunction()")

    @property
    def _options(self) -> Mapping[str, Any]:
        return options_of(self.getFunction())

    def limitKey(self) -> str | None:
        """Return the limit key that the function's options give the call."""
        return self._key_of(self._options.get("limitKey"))

    def uniqueKey(self) -> str | None:
        """Return the unique key that the function's options give the call."""
        return self._key_of(self._options.get("uniqueKey"))

    def _key_of(self, key: Key | None) -> str | None:
        return None if key is None else key_of(key, self.getFunction(), *self._arguments())


class TunedCallTask(FunctionOptions, CallTask[R]):
    """A call of a function that `task` has given options: they are looked up in the function."""

    def getFunction(self) -> Callable[..., Any]:
        """Return the function; ImportError or AttributeError where it is not there any more."""
        return CallTask.getFunction(self)

    def setStartOn(self, dt: datetime) -> None:
        """Set when the call is to be made; its expiry, if it has one, moves with it."""
        super().setStartOn(dt)
        expiry = self._options.get("expiry")
        if expiry is not None:
            self.expiryDate = _expiry_date(self.getStartOn(), expiry)

    def uniqueKey(self) -> str | None:
        """Return the unique key; the call as a text where it is unique by itself."""
        if not self._options.get("unique"):
            return super().uniqueKey()
        call = f"{self._name}{_plain((self._receiver, *self._arguments()))}"
        if len(call) <= KEY_LENGTH and not self.encrypted:
            return call
        return f"{self._name} {hashlib.sha256(call.encode()).hexdigest()}"


class LoneCallTask(TunedCallTask[R]):
    """A call whose attempts have transactions of their own: told by the class, it is not loaded."""

    alone = True


class CoroutineCallTask(LoneCallTask[R]):
    """A call of a coroutine function: told by the class, many are at work in one worker."""


def called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call *function* and return its result, where it is a coroutine that of the coroutine."""
    return result_of(function(*args, **kwargs))


@cache
def is_coroutine(kind: type) -> bool:
    """Say whether tasks of this class await: their attempts are made beside others."""
    if not issubclass(kind, BaseTask):
        return False
    return issubclass(kind, CoroutineCallTask) or inspect.iscoroutinefunction(kind.run)


def call_of(
    date: datetime, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> CallTask[Any]:
    """Return a task that calls *function* at *date*."""
    options = options_of(function)
    kind = TunedCallTask if options else CallTask
    if options.get("alone") or options.get("hardLimit") is not None:
        kind = LoneCallTask
    if is_coroutine_function(function):
        kind = CoroutineCallTask
    return kind(date, function, args, kwargs, _expiry_date(date, options.get("expiry")))


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Say whether *function*, declared or plain, is `async def`."""
    return inspect.iscoroutinefunction(getattr(function, "function", function))


def options_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the options that `task` has given *function*; none for a plain one."""
    options = getattr(function, "options", None)
    return options if isinstance(options, DeclaredOptions) else {}


def _expiry_date(date: datetime, expiry: float | timedelta | None) -> datetime | None:
    if expiry is None:
        return None
    return later(date, expiry.total_seconds() if isinstance(expiry, timedelta) else expiry)


def path_of(function: Callable[..., Any]) -> str:
    """Return `module:name` of *function*; TypeError where that would not lead back to it."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not callable(function) or module is None or name is None:
        raise TypeError(f"{function!r} is no function: give one that a module defines")
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        raise TypeError(f"{module}.{name} is a generator: a task is a function that returns")
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


def _secret_arguments(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[int, ...]:
    """Return which of the positional arguments have the name of a secret."""
    names = list(inspect.signature(function).parameters)[: len(args)]
    return tuple(at for at, name in enumerate(names) if is_secret(name))


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
