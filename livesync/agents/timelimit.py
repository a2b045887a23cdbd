"""A time limit for one exchange with a target, whatever the target does meanwhile."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def time_limit(seconds: float, descriptor: Callable[[], int | None]) -> Iterator[None]:
    """Do not let the block wait for its socket for longer than *seconds* in all.

    Limits on single reads do not help against a target that sends a byte now and then, or, in
    a library that waits by itself, against one that is frozen. So the socket, whose file
    number *descriptor* returns (None while it is not connected), is shut down then, and however the
    block takes that, TimeoutError is raised.
    """
    is_over = threading.Event()
    said = f"it took longer than {seconds:g} s to answer"

    def cut() -> None:
        is_over.set()
        number = descriptor()
        if number is not None:
            with suppress(OSError), socket.socket(fileno=os.dup(number)) as end:
                end.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if not is_over.is_set():
            raise
        raise TimeoutError(said) from error
    finally:
        timer.cancel()
        timer.join()
    if is_over.is_set():
        raise TimeoutError(said)
