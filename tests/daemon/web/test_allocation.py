"""All threads of the daemon allocate from one arena of the C library."""

from __future__ import annotations

import platform

import pytest

from tests.scheduler.harness import output_of

ARENAS = """
import ctypes, threading
from daemon.web.allocation import use_one_arena
use_one_arena()
threads = [threading.Thread(target=lambda: [bytes(5000) for _ in range(99)]) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library has no arenas")
def test_threads_share_one_arena():
    assert output_of(ARENAS).count("<heap nr=") == 1
