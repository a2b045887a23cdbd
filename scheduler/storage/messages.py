"""Messages of ZEO: one of many MB is put together in linear time.

ZEO appends each piece that it receives to a `bytes`, which copies all that there is so far. It
appends in place where the first piece is a `bytearray`.
"""

from __future__ import annotations

from asyncio import BaseTransport
from typing import Any

from ZEO.asyncio import base
from ZEO.asyncio.smp import SizedMessageProtocol

SMALL = 2**14


class LinearMessages(SizedMessageProtocol):
    """The protocol of sized messages, with large pieces handed on as `bytearray`."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Set up the methods of the protocol, as its base does."""
        super().connection_made(transport)
        receive = self.data_received

        def data_received(data: bytes) -> None:
            receive(bytearray(data) if len(data) > SMALL else data)

        self.data_received: Any = data_received


def receive_linearly() -> None:
    """Make all connections of ZEO that are opened from now on receive in linear time."""
    base.SizedMessageProtocol = LinearMessages
