"""WebhookAgent: it posts each batch of records as JSON to a URL, signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from livesync.agents.http import HttpAgent, HttpTarget
from livesync.agents.target import Items, Send
from livesync.records import document, json_bytes, key_of, wrapped
from livesync.reduction import Record
from scheduler.clock import nowutc

TIMESTAMP_HEADER = "X-Livesync-Timestamp"
SIGNATURE_HEADER = "X-Livesync-Signature"
KEY_HEADER = "Idempotency-Key"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of *body* sent at *timestamp*: `sha256=` and an HMAC in hex digits.

    The HMAC's message is the timestamp, a dot, and the body as it is sent.
    """
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class WebhookAgent(HttpAgent):
    """Posts batches of records to *url*; any 2xx answer accepts a batch.

    The body is a JSON object with the list `records`, each with a `key`. Requests carry the
    time at which they are sent, a key that is the same when the same batch is sent again, and
    with a *secret* a signature, see `sign`.
    """

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        url: str | None = None,
        *,
        secret: str = "",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, url, batch_size=batch_size)
        self._secret = secret

    def _prepare(self, record: Record) -> bytes:
        key = key_of(record, self.getLastTS())
        return json_bytes(document(record, self._access) | {"key": key})

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        with self._connected() as target:
            yield partial(_post, target, self._id, self._secret)


def _post(target: HttpTarget, agent_id: str, secret: str, items: Items) -> None:
    body = wrapped([item.content for item in items])
    timestamp = str(int(nowutc().timestamp()))
    digest = hashlib.sha256("\n".join(item.key for item in items).encode()).hexdigest()
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        KEY_HEADER: f"{agent_id}-{digest[:32]}",
    }
    if secret:
        headers[SIGNATURE_HEADER] = sign(secret, timestamp, body)
    target.post(body, headers)
