"""The JSON Schemas of records: as agents send them, and as readers pull them."""

from __future__ import annotations

from typing import Any

from export.openapi.type_schema import PREFIX
from livesync.objects.object_model import CONTRIBUTION, EVENT, SUBCONTRIBUTION
from livesync.records.cloud_event import PREFIX as TYPE_PREFIX

Schema = dict[str, Any]

TOKEN: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{28}$"}
TRANSACTION: Schema = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
DATE: Schema = {"type": ["string", "null"], "format": "date-time"}

OF_THE_CATALOGUE: Schema = {
    "title": {"type": "string"},
    "description": {"type": "string"},
    "startDate": DATE,
    "endDate": DATE,
    "duration": {"type": ["number", "null"], "description": "Seconds."},
    "url": {"type": "string"},
    "keywords": {"type": "array", "items": {"type": "string"}},
}
RECORD: Schema = {
    "description": "What an agent sends for one object. One that is not deleted, nor restricted, "
    "has details: those of the catalogue these, those of exposed classes the fields of the fossil.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "type": {"type": "string", "description": "The kind of the object."},
        "status": {"enum": ["created", "changed", "deleted"]},
        "restricted": {"const": True, "description": "The target may not see more."},
        "key": {"type": "string", "description": "The same whenever the record is sent again."},
        "position": {**TOKEN, "description": "The token of the transaction."},
        "transaction": {**TRANSACTION, "description": "The newest that the record is about."},
    },
    "required": ["id", "status"],
    "dependentRequired": {"position": ["transaction"], "transaction": ["position"]},
    "if": {
        "properties": {"type": {"enum": [EVENT, CONTRIBUTION, SUBCONTRIBUTION]}},
        "required": ["type"],
    },
    "then": {"properties": OF_THE_CATALOGUE},
}
RECORDS: Schema = {
    "description": "What a webhook is posted, and a file of a folder has.",
    "type": "object",
    "properties": {"records": {"type": "array", "items": {"$ref": f"{PREFIX}Record"}}},
    "required": ["records"],
}
CHANGE: Schema = {
    "description": "What a reader of the feed is told of one object and one transaction.",
    "allOf": [{"$ref": f"{PREFIX}Record"}],
    "properties": {
        "actions": {"type": "array", "items": {"type": "string"}},
        "time": {**MOMENT, "description": "When the transaction was committed."},
    },
    "required": ["actions", "position", "transaction", "time"],
}
CLOUD_EVENT: Schema = {
    "description": "A record, or a change, as a CloudEvent 1.0.",
    "type": "object",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": {"type": "string", "pattern": rf"^{TYPE_PREFIX}\..+\.(created|changed|deleted)$"},
        "subject": {"type": "string", "minLength": 1},
        "time": MOMENT,
        "datacontenttype": {"const": "application/json"},
        "position": TOKEN,
        "transaction": TRANSACTION,
        "data": {"$ref": f"{PREFIX}Record"},
    },
    "required": ["specversion", "id", "source", "type", "subject", "datacontenttype", "data"],
}
CLOUD_EVENTS: Schema = {"type": "array", "items": {"$ref": f"{PREFIX}CloudEvent"}}

SCHEMAS = {
    "Record": RECORD,
    "Records": RECORDS,
    "Change": CHANGE,
    "CloudEvent": CLOUD_EVENT,
    "CloudEvents": CLOUD_EVENTS,
}
"""The schemas of records by their names."""
