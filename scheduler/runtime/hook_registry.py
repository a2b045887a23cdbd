"""The registry of hooks: those of the code, the settings and the entry points, and their calls."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.metadata import entry_points
from queue import SimpleQueue
from typing import Any

from ZODB.Connection import Connection

from scheduler.errors import SchedulerConfigurationException
from scheduler.store.missing_class import EXITS, reason_of
from scheduler.values.named_object import named_object

log = logging.getLogger(__name__)

ENTRY_POINTS = "zodb_relay.hooks"
FLUSH_SECONDS = 5.0
AROUND = "around_attempt"


class HookMethods:
    """The base of `scheduler.hooks.Hooks`: an object with methods that the registry calls.

    A class that declares such methods, which do nothing, has `declares_hooks` of its own.
    """

    declares_hooks = True


class HookRegistry:
    """The hooks of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._hooks: list[HookMethods] = []
        self._having: dict[str, list[HookMethods]] = {}  # found already; made anew with the hooks
        self._names: set[str] = set()  # those of settings that are loaded
        self._has_installed = False
        self._failed: set[tuple[str, str]] = set()
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, hook: HookMethods) -> None:
        """Register *hook* in this process."""
        if not isinstance(hook, HookMethods):
            raise TypeError(f"{hook!r} is no hook: derive its class from scheduler.hooks.Hooks")
        with self._lock:
            self._hooks = [*self._hooks, hook]
            self._having = {}

    def remove(self, hook: HookMethods) -> None:
        """Forget *hook*; nothing if it is not registered."""
        with self._lock:
            self._hooks = [each for each in self._hooks if each is not hook]
            self._having = {}

    def load(self, names: Iterable[str]) -> None:
        """Register the hooks *names*, each `module:attribute`, a class of hooks or a hook.

        A name that is loaded already is passed over. Raises SchedulerConfigurationException.
        """
        with self._lock:
            for name in names:
                if name not in self._names:
                    self.add(_hook_named(name))
                    self._names.add(name)

    def having(self, method: str) -> list[HookMethods]:
        """Return the hooks that override *method*, in the order of their registration."""
        if not self._has_installed:
            self._load_installed()
        known = self._having
        if method not in known:
            known[method] = [hook for hook in self._hooks if _overrides(hook, method)]
        return known[method]

    def call(self, method: str, event: object) -> None:
        """Call *method* of all hooks with *event*."""
        for hook in self.having(method):
            with self._harmless(hook, method):
                getattr(hook, method)(event)

    def call_soon(self, method: str, event: object) -> None:
        """Call *method* of all hooks with *event*, in a thread of the registry's own."""
        if self.having(method):
            self.later(partial(self.call, method), event)

    def later(self, work: Callable[[Any], None], event: object) -> None:
        """Call *work* with *event* in a thread of the registry's own, after what waits there."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="hooks", daemon=True)
                self._thread.start()
        self._calls.put(partial(work, event))

    def call_after_commit(self, connection: Connection, method: str, event: object) -> None:
        """Call *method* of all hooks soon after the commit of the transaction of *connection*."""
        if not self.having(method):
            return

        def call(is_committed: bool) -> None:
            if is_committed:
                self.call_soon(method, event)

        connection.transaction_manager.get().addAfterCommitHook(call)

    def flush(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait for the calls that are still to be made, *seconds* if need be."""
        if self._thread is not None and self._thread.is_alive():
            done = threading.Event()
            self._calls.put(done.set)
            done.wait(seconds)

    def around(self, task: object) -> AbstractContextManager[None]:
        """Return what enters what hooks have around an attempt at *task*, and leaves it."""
        self.call("before_attempt", task)
        return self._inside(task) if self.having(AROUND) else _NOTHING

    @contextmanager
    def _inside(self, task: object) -> Iterator[None]:
        entered: list[tuple[HookMethods, Any]] = []
        for hook in self.having(AROUND):
            with self._harmless(hook, AROUND):
                context = getattr(hook, AROUND)(task)
                context.__enter__()
                entered.append((hook, context))
        problem: BaseException | None = None
        try:
            yield
        except BaseException as error:
            problem = error
            raise
        finally:
            for hook, context in reversed(entered):
                with self._harmless(hook, AROUND, problem):
                    context.__exit__(type(problem) if problem else None, problem, None)

    def _work(self) -> None:
        while True:
            work = self._calls.get()
            try:
                work()
            except Exception:
                log.exception("a hook failed: %r", work)

    @contextmanager
    def _harmless(
        self, hook: HookMethods, method: str, known: BaseException | None = None
    ) -> Iterator[None]:
        try:
            yield
        except (Exception, *EXITS) as error:
            if error is known:
                return  # it came from the task, and goes on
            failed = (f"{type(hook).__module__}.{type(hook).__qualname__}", method)
            if failed not in self._failed:
                self._failed.add(failed)
                log.exception("hook %s failed in %s; it is not logged again", *failed)

    def _load_installed(self) -> None:
        with self._lock:
            if self._has_installed:
                return
            self._has_installed = True
            for each in entry_points(group=ENTRY_POINTS):
                try:
                    self.add(_made(each.load(), each.value))
                except Exception:
                    log.exception("hook %s of %s cannot be loaded", each.name, ENTRY_POINTS)


_NOTHING = nullcontext()
REGISTRY = HookRegistry()


def _overrides(hook: HookMethods, method: str) -> bool:
    classes = (each for each in type(hook).__mro__ if method in vars(each))
    definer = next(classes, None)
    return definer is not None and "declares_hooks" not in vars(definer)


def _hook_named(name: str) -> HookMethods:
    try:
        return _made(named_object(name), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise SchedulerConfigurationException(
            f"hooks: {name!r} is no hook, as module:class is: {reason_of(error)}"
        ) from error


def _made(found: Any, name: str) -> HookMethods:
    hook = found() if isinstance(found, type) else found
    if not isinstance(hook, HookMethods):
        raise TypeError(f"{name} does not derive from scheduler.hooks.Hooks")
    return hook
