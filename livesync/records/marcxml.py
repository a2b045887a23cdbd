"""MARCXML of records: what library catalogues and search engines take in.

One `collection` with a `record` each; see `livesync.records.marc` for what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from livesync.records.document import identity, present
from livesync.records.marc.content import deletion, fields_of
from livesync.records.marc.field import MarcField
from livesync.records.reduction import STATUS_DELETED, Record
from scheduler.values.extras import extra_needed

with extra_needed():
    from defusedxml.ElementTree import fromstring
    from lxml import etree

NAMESPACE = "http://www.loc.gov/MARC21/slim"
LEADER = "00000nmm  2200000uu 4500"
LEADER_OF_DELETED = "00000dmm  2200000uu 4500"
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
HEAD = f"<?xml version='1.0' encoding='UTF-8'?>\r\n<collection xmlns=\"{NAMESPACE}\">\r\n".encode()
TAIL = b"</collection>\r\n"
DECLARATION = f' xmlns="{NAMESPACE}"'.encode()


def collection(records: Iterable[Record], access: Any = None) -> str:
    """Return the MARCXML document with all *records* that can be sent, as *access* sees them."""
    return collected([record_xml(record, access) for record in present(records)]).decode()


def collected(records: list[bytes]) -> bytes:
    """Return the MARCXML document of *records*, as `record_xml` returns them, in UTF-8."""
    return HEAD + b"\r\n".join([*records, b""]) + TAIL


def read_collection(document: bytes) -> Iterator[tuple[str, tuple[Any, ...] | None]]:
    """Yield the id of each record of a *document* of `collected`, with its fields.

    Each field is its tag, its indicators and its subfields. None stands for a deleted record.
    """
    for record in fromstring(document).iter(_tag("record")):
        fields = tuple(
            (
                *(field.get(name) for name in ("tag", "ind1", "ind2")),
                tuple((part.get("code"), part.text or "") for part in field),
            )
            for field in record.iter(_tag("datafield"))
        )
        (obj_id,) = (parts[0][1] for tag, _, _, parts in fields if tag == "970")
        is_deleted = any(tag == "980" and ("c", "DELETED") in parts for tag, _, _, parts in fields)
        yield obj_id.removeprefix("INDICO."), None if is_deleted else fields


def record_xml(record: Record, access: Any = None) -> bytes:
    """Return the `record` element of *record*, for a document of `collected`, in UTF-8.

    It tells what *access* (a user or a user's id, None for the public) may see of the object.
    """
    uid = identity(record)
    if record[2] & STATUS_DELETED:
        element = _element(deletion(uid), LEADER_OF_DELETED)
    else:
        element = _element(fields_of(record[0], uid, access))
    text: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=False)
    text = text.replace(DECLARATION, b"", 1)  # the collection says it for all
    return text.replace(b">\n", b">\r\n")  # a sign > of a value is no sign > here


def _element(fields: Iterable[MarcField], leader: str = LEADER) -> Any:
    record = etree.Element(_tag("record"), nsmap={None: NAMESPACE})
    etree.SubElement(record, _tag("leader")).text = leader
    for field in fields:
        if not field.subfields:
            continue
        data = etree.SubElement(record, _tag("datafield"), field.attributes())
        for code, value in field.subfields:
            etree.SubElement(data, _tag("subfield"), code=code).text = NOT_IN_XML.sub(" ", value)
    etree.indent(record, " ")
    return record


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
