"""WebhookAgent: it posts each batch of records as JSON to a URL, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from livesync.agents.http import Answer, HttpAgent, HttpTarget
from livesync.agents.target import Items, Send
from livesync.errors import AgentExecutionException
from livesync.records.document import json_bytes, key_of, read_documents, wrapped
from livesync.records.reduction import Record
from scheduler.clock import nowutc
from scheduler.store.encryption import seal, unseal

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

    The body is a JSON object with the list `records`, each with a `key`, and the `position` of the
    newest transaction that it is about. Requests carry the
    time at which they are sent, a key that is the same when the same batch is sent again, and
    with a *secret* a signature, see `sign`.

    A target that can tell what it has does so at *list_url*: a signed GET (with an empty body)
    is answered with an object like the one posted, and the address of the next page, `next`,
    where there is one.
    """

    SECRETS = ("_secret",)

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
        list_url: str = "",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, url, batch_size=batch_size)
        self._secret = seal(secret)
        self._list_url = list_url

    def _prepare(self, record: Record) -> bytes:
        return json_bytes(self.told(record) | {"key": key_of(record, self.getLastTS())})

    def listed(self) -> Iterator[tuple[str, Any]]:
        """Yield what the target lists, page by page."""
        if not self._list_url:
            yield from super().listed()
        with self._connected() as target:
            address = self._list_url
            while address:
                states, address = _page(
                    target, target.get(address, _signed(unseal(self._secret), b""))
                )
                yield from states.items()

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        with self._connected() as target:
            yield partial(_post, target, self._id, unseal(self._secret))


def _post(target: HttpTarget, agent_id: str, secret: str, items: Items) -> None:
    body = wrapped([item.content for item in items])
    digest = hashlib.sha256("\n".join(item.key for item in items).encode()).hexdigest()
    headers = {"Content-Type": "application/json", KEY_HEADER: f"{agent_id}-{digest[:32]}"}
    target.post(body, headers | _signed(secret, body))


def _signed(secret: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(nowutc().timestamp()))
    headers = {TIMESTAMP_HEADER: timestamp}
    if secret:
        headers[SIGNATURE_HEADER] = sign(secret, timestamp, body)
    return headers


def _page(target: HttpTarget, answer: Answer) -> tuple[dict[str, Any], str]:
    """Return the states by id that a page of a listing tells, and the address of the next."""
    try:
        listed = dict(read_documents(answer.content))
        following = json.loads(answer.content).get("next") or ""
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AgentExecutionException(
            f"the target's listing is not what it should be: {target.quote(answer)}"
        ) from None
    return listed, str(following)
