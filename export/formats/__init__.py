"""How answers are written: one module for each TYPE, with its CONTENT_TYPE and `write`.

Where it is one of lists, it has `pieces`, too, for those that are written as they are sent. The
`results` of their body are an iterator, and `ending()` tells what is known behind them.
"""

from types import ModuleType

from export.formats import atom, frab, html, ics, json, jsonp, pentabarf, xml

FORMATS: dict[str, ModuleType] = {
    **{"json": json, "jsonp": jsonp, "xml": xml, "html": html, "ics": ics, "atom": atom},
    **{"frab": frab, "pentabarf": pentabarf},
}

PLAIN = ("json", "jsonp", "xml")
"""Formats that any answer can be written in, errors too."""
