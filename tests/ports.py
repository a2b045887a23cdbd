"""Ports for the servers of tests."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

# Below the range from which systems take the ports of connections, one of which could be quicker.
RANGE = (20_000, 32_000)


def free_port():
    """Return a port on which a server can be started."""
    while True:
        port = random.randrange(*RANGE)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
