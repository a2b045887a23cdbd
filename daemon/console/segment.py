"""Names in addresses: any text is one segment of a path, escaped as in RFC 6901."""

from __future__ import annotations

from urllib.parse import quote

from werkzeug.routing import BaseConverter

DOTS = {".", ".."}
"""Segments that browsers take away."""


def segment(name: str) -> str:
    """Return *name* as a segment of an address."""
    escaped = name.replace("~", "~0").replace("/", "~1")
    return quote(escaped.replace(".", "~2") if escaped in DOTS else escaped, safe="~")


class SegmentConverter(BaseConverter):
    """The converter `<name:...>` of rules: the name that `segment` made a segment of."""

    def to_python(self, value: str) -> str:
        """Return the name."""
        return value.replace("~2", ".").replace("~1", "/").replace("~0", "~")

    def to_url(self, value: str) -> str:
        """Return the segment."""
        return segment(value)


CONVERTERS = {"name": SegmentConverter}
