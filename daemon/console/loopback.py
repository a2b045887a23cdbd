"""Loopback: the addresses by which a machine is reached by itself alone."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


def is_loopback(host: str) -> bool:
    """Say whether *host* is an address, or the name, of this machine for itself."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def asks_itself(request: Request) -> bool:
    """Say whether this machine asks itself, by its own name.

    A page of another site could make a browser here ask under a name of its own.
    """
    host, _, port = request.host.rpartition(":")
    name = host if port.isdigit() and host else request.host
    return is_loopback(request.remote_addr or "") and is_loopback(name)
