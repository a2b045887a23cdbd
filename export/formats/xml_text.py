"""Text for XML: without the characters that XML cannot express."""

from __future__ import annotations

import re

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str | None) -> str:
    """Return *text* without forbidden characters; "" for None."""
    return FORBIDDEN.sub("", text) if text else ""
