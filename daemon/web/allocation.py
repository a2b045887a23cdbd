"""The allocation of memory by the C library."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8


def use_one_arena() -> None:
    """Make all threads of this process allocate from one arena, where the C library has several.

    In an arena of its own each thread would keep what it once needed for an answer. Threads of
    Python allocate one after the other, so that one arena costs no time.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
