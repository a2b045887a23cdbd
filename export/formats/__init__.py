"""How answers are written: one module for each TYPE, with its CONTENT_TYPE and `write`."""

from export.formats import json, jsonp

FORMATS = {"json": json, "jsonp": jsonp}
