"""Field: one field of a record of MARC."""

from __future__ import annotations

from typing import Any


class MarcField:
    """One data field: a *tag* of three digits and two indicators (`_` is blank), and subfields.

    Subfields without a value are left out.
    """

    def __init__(self, tag: str, *subfields: tuple[str, Any]) -> None:
        self.tag, self.indicators = tag[:3], tag[3:].replace("_", " ").ljust(2)
        self.subfields = [(code, str(value)) for code, value in subfields if value is not None]

    def attributes(self) -> dict[str, str]:
        """Return the attributes of the field's element."""
        return {"tag": self.tag, "ind1": self.indicators[0], "ind2": self.indicators[1]}
