"""The pipe of what a worker process and the programs that it starts write to their output."""

from __future__ import annotations

import os

PART = 65536
# Parts that are read of a process that has ended; programs that it has started may go on writing.
LAST_PARTS = 64
# Characters of one line of the log; a longer one is cut into several.
LONGEST = 8000


class OutputPipe:
    """The reading end of the output of a process, of which `writer` is given to it."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._rest = b""
        self.is_open = True

    def fileno(self) -> int:
        """Return the descriptor that is ready when there is something to read."""
        return self._reader

    def lines(self) -> list[str]:
        """Return the lines that have come; `is_open` is false when no more can come."""
        part = self._read()
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) > LONGEST or not self.is_open:
            lines.append(self._rest)
            self._rest = b""
        return _texts(lines)

    def close(self) -> list[str]:
        """Close the pipe; return the lines that had come."""
        parts = [self._rest]
        for _ in range(LAST_PARTS):
            part = self._read()
            if not part:
                break
            parts.append(part)
        os.close(self._reader)
        return _texts(b"".join(parts).split(b"\n"))

    def _read(self) -> bytes:
        try:
            part = os.read(self._reader, PART)
        except BlockingIOError:
            return b""
        self.is_open = bool(part)
        return part


def _texts(lines: list[bytes]) -> list[str]:
    shown = (line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace") for line in lines)
    return [
        line[start : start + LONGEST] for line in shown for start in range(0, len(line), LONGEST)
    ]
