"""The result of a coroutine: awaited in an event loop of its own, or in that of its worker."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeAlias

Await: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

AWAIT: ContextVar[Await | None] = ContextVar("await", default=None)
"""The function that awaits the coroutine of an attempt which is made beside others."""


def result_of(made: Any) -> Any:
    """Return *made*, or the result of the coroutine that it is."""
    if not inspect.iscoroutine(made):
        return made
    await_it = AWAIT.get()
    return asyncio.run(made) if await_it is None else await_it(made)
