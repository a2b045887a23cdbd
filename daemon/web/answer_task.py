"""The sending of an answer, also of one that is broken off."""

from __future__ import annotations

import socket
import struct
from typing import Any

from waitress.task import WSGITask

AT_ONCE = struct.pack("ii", 1, 0)
"""The way of closing a connection (SO_LINGER) by which the other side learns that it is broken."""


JOINED = 64 * 1024
"""The largest beginning of a content, in bytes, that is sent together with the head."""


class AnswerTask(WSGITask):
    """The answer of the application to one request."""

    channel: Any

    def service(self) -> None:
        """Send the answer; after an error in the middle, break the connection.

        Its end would be that of the answer for those who speak HTTP/1.0, as many proxies do.
        """
        try:
            super().service()
        except Exception:
            if self.wrote_header and self.channel.connected:
                self.channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            raise

    def write(self, data: bytes) -> None:
        """Send *data*, and before the first of it the head, together if that is possible."""
        if self.wrote_header or len(data) > JOINED:
            super().write(data)
            return
        channel = self.channel
        self.channel = gathering = _Gathering(channel)
        try:
            super().write(data)
        finally:
            self.channel = channel
        channel.write_soon(b"".join(gathering.written))

    def set_close_on_finish(self) -> None:
        """Close the connection behind an answer whose end nothing else tells."""
        asks_for_it = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or self.version != "1.1" or asks_for_it:
            super().set_close_on_finish()

    def finish(self) -> None:
        """End the answer; one to HEAD has no content, whose end would be told."""
        if self.request.command == "HEAD":
            self.chunked_response = False
        super().finish()


class _Gathering:
    """A *channel* that keeps what is written to it."""

    def __init__(self, channel: Any) -> None:
        self.server = channel.server
        self.written: list[bytes] = []

    def write_soon(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)
