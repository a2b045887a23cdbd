"""Records as documents: what a target is told about one object, as plain data for JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from livesync.reduction import STATUS_CREATED, STATUS_DELETED, Record
from livesync.subjects import has_method, is_detached, kind_of

log = logging.getLogger(__name__)

Document = dict[str, Any]

DETAILS = {
    "title": "getTitle",
    "description": "getDescription",
    "startDate": "getStartDate",
    "endDate": "getEndDate",
    "duration": "getDuration",
}


def present(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the *records* that can be sent: deletions, and objects that are still in place.

    What was deleted after it changed has a deletion of its own on the way.
    """
    for record in records:
        obj, obj_id, status = record
        if status & STATUS_DELETED or not is_detached(obj):
            yield record
        else:
            log.warning("object %s is gone: the change before is not sent", obj_id)


def key_of(record: Record, position: int | None = None) -> str:
    """Return the idempotency key of *record*: the same whenever it is sent again.

    It is made of the object's id and of where the newest change stands that the record is
    about; *position* counts where the record does not know that.
    """
    known = getattr(record, "position", None)
    return f"{record[1]}@{known if known is not None else position}"


def status_name(status: int) -> str:
    """Return `deleted`, `created` or `changed`: what the status bits come to for a target."""
    if status & STATUS_DELETED:
        return "deleted"
    return "created" if status & STATUS_CREATED else "changed"


def document(record: Record) -> Document:
    """Return *record* as plain data: id, status, and unless it is deleted type and details.

    Details are those of title, description, dates and duration (seconds) that the object has.
    """
    obj, obj_id, status = record
    told: Document = {"id": str(obj_id), "status": status_name(status)}
    if not status & STATUS_DELETED:
        told["type"] = kind_of(obj)
        for name, getter in DETAILS.items():
            if has_method(obj, getter):
                told[name] = plain(getattr(obj, getter)())
    return told


def documents_json(records: Iterable[Record]) -> str:
    """Return a JSON object with the list `records`, a document for each of *records*."""
    return json.dumps({"records": [document(record) for record in records]}, ensure_ascii=False)


def plain(value: Any) -> Any:
    """Return *value* as JSON knows it: ISO 8601 in UTC for a date, seconds for a duration."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
