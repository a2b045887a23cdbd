"""A disk that is full for some processes: the files that they write have a greatest size.

Such a process must keep no bytecode: a module whose bytecode was cut off could not be imported any
more, by no process of any test.
"""

from __future__ import annotations

import os
import resource

EVER = resource.RLIM_INFINITY


def environment():
    """Return the environment for a process whose disk will be full."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def limit(pid, size):
    """Let the process *pid* (0: this one) write files of *size* bytes at the most."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, EVER))
