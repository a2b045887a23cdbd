"""Limits on slow clients: how long the front end waits before it closes a connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from daemon.config import Web
from daemon.web.bad_request import Channel

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""How long a connection may stay open between requests."""


def send_away(connections: Mapping[int, Any], settings: Web) -> None:
    """Close the *connections* that take too long, and of too many those that wait longest.

    A connection whose request is being answered is left alone.
    """
    now = time.monotonic()
    channels = [each for each in connections.values() if _is_open(each)]
    readers = [each for each in channels if each.total_outbufs_len]
    for each in readers:
        each.waits_since = now  # the next request is waited for when the answer is read
    waiting = [each for each in channels if not each.requests and not each.total_outbufs_len]
    slow = {each for each in waiting if now - each.waits_since > _limit(each, settings)}
    rest = sorted((each for each in waiting if each not in slow), key=lambda one: one.waits_since)
    rest += sorted(readers, key=lambda one: one.creation_time)
    surplus = rest[: max(0, len(channels) - len(slow) - settings.connections)]
    for channel in (*slow, *surplus):
        channel.will_close = True
    if slow or surplus:
        log.info("%d slow connections closed, %d for others", len(slow), len(surplus))


def _is_open(connection: Any) -> bool:
    return isinstance(connection, Channel) and not connection.will_close


def _limit(channel: Channel, settings: Web) -> float:
    if not channel.is_begun:
        return IDLE_SECONDS
    return settings.body_seconds if channel.receives_body else settings.header_seconds
