"""Changes as CloudEvents 1.0, in the JSON format."""

from __future__ import annotations

from typing import Any

BATCH_TYPE = "application/cloudevents-batch+json"
EVENT_TYPE = "application/cloudevents+json"
PREFIX = "zodb-relay"
"""The first part of the types of events, as `zodb-relay.event.changed`."""


def cloud_event(told: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the change *told*, as `livesync.http.changes` tells it, as an event of *source*."""
    kind = told.get("type", "object")
    return {
        "specversion": "1.0",
        "id": f"{told['transaction']}/{kind}/{told['id']}",
        "source": source,
        "type": f"{PREFIX}.{kind}.{told['status']}",
        "subject": f"{kind}/{told['id']}",
        "time": told["time"],
        "datacontenttype": "application/json",
        "position": told["position"],
        "transaction": told["transaction"],
        "data": told,
    }
