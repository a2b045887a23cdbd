"""Text for XML: without the characters that XML cannot express; and what was written of it."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str | None) -> str:
    """Return *text* without forbidden characters; "" for None."""
    return FORBIDDEN.sub("", text) if text else ""


def taken(file: Any, written: BytesIO) -> bytes:
    """Return what *file*, of lxml, has written, and take it out."""
    file.flush()
    text = written.getvalue()
    written.seek(0)
    written.truncate()
    return text
