"""Changes as CloudEvents 1.0, in the JSON format."""

from __future__ import annotations

from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.utils import p64

BATCH_TYPE = "application/cloudevents-batch+json"
EVENT_TYPE = "application/cloudevents+json"
PREFIX = "zodb-relay"
"""The first part of the types of events, as `zodb-relay.event.changed`."""


def cloud_event(told: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the change *told*, a record with or without its transaction, as an event of *source*.

    Its id is the record's key, else made of the transaction and the object.
    """
    kind, transaction = told.get("type", "object"), told.get("transaction")
    event = {
        "specversion": "1.0",
        "id": told.get("key") or f"{transaction}/{kind}/{told['id']}",
        "source": source,
        "type": f"{PREFIX}.{kind}.{told['status']}",
        "subject": f"{kind}/{told['id']}",
        "datacontenttype": "application/json",
        "data": told,
    }
    if transaction is None:
        return event
    known = {"time": time_of(int(transaction, 16)), "transaction": transaction}
    return event | known | {"position": told["position"]}


def time_of(tid: int) -> str:
    """Return when transaction *tid* was committed, as RFC 3339 writes it, in UTC."""
    return f"{TimeStamp(p64(tid))}Z".replace(" ", "T")
