"""MARCXML as others read it: held against its schema, where that is there, and by pymarc."""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path

import pymarc
from lxml import etree

from livesync.records.marcxml import collection

ROOT = Path(__file__).parents[2]
SCHEMA = Path(os.environ.get("MARC_SCHEMA", ROOT.parent / "shared/data/MARC21slim.xsd"))


@cache
def schema():
    return etree.XMLSchema(etree.parse(SCHEMA)) if SCHEMA.exists() else None


def read(text):
    """Return the records of a collection."""
    if schema() is not None:
        schema().assertValid(etree.fromstring(text.encode()))
    return pymarc.parse_xml_to_array(io.BytesIO(text.encode()))


def marc(*records, access=None):
    """Return what a reader finds of (object, id, status) records."""
    return read(collection(records, access))
