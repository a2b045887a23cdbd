"""Records as documents: what a target is shown about one object, as plain data for JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import Any

from export.fossils.installation import address_of
from export.model.local_time import in_utc
from livesync.objects.object_model import NOTHING, has_method, is_detached, may_see
from livesync.records.reduction import STATUS_CREATED, STATUS_DELETED, Record, identity_of, kind_in
from livesync.records.shape import shape_of

log = logging.getLogger(__name__)

Document = dict[str, Any]

DETAILS = {
    "title": "getTitle",
    "description": "getDescription",
    "startDate": "getStartDate",
    "endDate": "getEndDate",
    "duration": "getDuration",
    "url": "getURL",
    "keywords": "getKeywords",
}


OF_THE_RECORD = {"status", "key", "position", "transaction"}
"""The fields that tell of a change, and not of the state of its object."""


def present(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the *records* that can be sent: deletions, and objects that are still in place.

    An object that was deleted after it changed has a deletion of its own on the way.
    """
    for record in records:
        obj, obj_id, status = record
        if status & STATUS_DELETED or not is_detached(obj):
            yield record
        else:
            log.warning("object %s is gone: the change before is not sent", obj_id)


def key_of(record: Record, position: int | None = None) -> str:
    """Return the idempotency key of *record*: the same whenever it is sent again.

    It is made of the object's identity, of where the newest change stands that the record is
    about (*position* counts where the record does not know that), and of the record's epoch.
    """
    known = getattr(record, "position", None)
    epoch = getattr(record, "epoch", None)
    place = known if known is not None else position
    return f"{identity(record)}@{place}" + (f"-{epoch}" if epoch else "")


def identity(record: Record) -> str:
    """Return what tells the object of *record* apart: its id, elsewhere with its kind."""
    return identity_of(kind_in(record), record[1])


def status_name(status: int) -> str:
    """Return `deleted`, `created` or `changed`: what the status bits come to for a target."""
    if status & STATUS_DELETED:
        return "deleted"
    return "created" if status & STATUS_CREATED else "changed"


def document(record: Record, access: Any = None) -> Document:
    """Return *record* as plain data: id, type, status, and unless it is deleted details.

    Details are the fossil of an object of an exposed class; of others those of title,
    description, dates, duration (seconds), address and keywords that they have. For an object
    that *access* (a user's id, None for the public) may not see, it says `restricted` instead.
    """
    obj, obj_id, status = record
    shown: Document = {"id": str(obj_id), "status": status_name(status)}
    if kind_in(record) != NOTHING:
        shown["type"] = kind_in(record)
    if status & STATUS_DELETED:
        return shown
    if not may_see(obj, access):
        return shown | {"restricted": True}
    shape = shape_of(obj, access)
    if shape is not None:
        details: Document = plain(shape)
        return details | shown
    for name, getter in DETAILS.items():
        if has_method(obj, getter):
            shown[name] = plain(getattr(obj, getter)())
    if "url" in shown:
        shown["url"] = address_of(obj, shown["url"])
    return shown


def json_bytes(data: Any) -> bytes:
    """Return *data* as JSON in UTF-8, whatever texts it is made of."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


def wrapped(documents: list[bytes]) -> bytes:
    """Return a JSON object whose `records` are the *documents*, each in JSON."""
    return b'{"records": [' + b", ".join(documents) + b"]}"


def read_documents(content: bytes) -> Iterator[tuple[str, Document | None]]:
    """Yield the identity of each document of *content*, as `wrapped` made it, with the state.

    None stands for a deletion.
    """
    for shown in json.loads(content)["records"]:
        name = identity_of(shown.get("type", NOTHING), shown["id"])
        yield name, None if shown["status"] == "deleted" else state_in(shown)


def state_in(shown: Document) -> Document:
    """Return what of a document is the object's state: not its key, nor what happened last."""
    return {name: value for name, value in shown.items() if name not in OF_THE_RECORD}


def well_formed(text: str) -> str:
    """Return *text* with U+FFFD for what is no character: halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain(value: Any) -> Any:
    """Return *value* as JSON knows it: ISO 8601 in UTC for a date, seconds for a duration."""
    if isinstance(value, datetime):
        return in_utc(value).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int | bool | None) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {well_formed(str(name)): plain(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, date | time) else well_formed(str(value))
