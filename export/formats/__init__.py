"""How answers are written: one module for each TYPE, with its CONTENT_TYPE and `write`."""

from export.formats import atom, html, ics, json, jsonp, xml

FORMATS = {"json": json, "jsonp": jsonp, "xml": xml, "html": html, "ics": ics, "atom": atom}

PLAIN = ("json", "jsonp", "xml")
"""Formats that any answer can be written in, errors too."""
