"""The sending of an answer, also of one that is broken off."""

from __future__ import annotations

import socket
import struct

from waitress.task import WSGITask

AT_ONCE = struct.pack("ii", 1, 0)
"""The way of closing a connection (SO_LINGER) by which the other side learns that it is broken."""


class AnswerTask(WSGITask):
    """The answer of the application to one request."""

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
