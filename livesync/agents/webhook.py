"""WebhookAgent: it posts each batch of records as JSON to a URL, signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from export.fossils.installation import base_url
from livesync.agents.http import Answer, HttpAgent, HttpTarget
from livesync.agents.target import Items, Send
from livesync.errors import AgentExecutionException
from livesync.records.cloud_event import BATCH_TYPE, EVENT_TYPE, cloud_event
from livesync.records.document import json_bytes, key_of, read_documents, state_in, wrapped
from livesync.records.reduction import Record
from scheduler.clock import nowutc
from scheduler.store.encryption import seal, unseal

TIMESTAMP_HEADER = "X-Livesync-Timestamp"
SIGNATURE_HEADER = "X-Livesync-Signature"
KEY_HEADER = "Idempotency-Key"

RECORDS, BATCHED, STRUCTURED = "records", "cloudevents-batched", "cloudevents-structured"
CONTENT_TYPES = {RECORDS: "application/json", BATCHED: BATCH_TYPE, STRUCTURED: EVENT_TYPE}
"""The forms of what is posted, with their types: the latter two are modes of CloudEvents."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of *body* sent at *timestamp*: `sha256=` and an HMAC in hex digits.

    The HMAC's message is the timestamp, a dot, and the body as it is sent.
    """
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class WebhookAgent(HttpAgent):
    """Posts batches of records to *url*; any 2xx answer accepts a batch.

    The body is a JSON object with the list `records`, each with a `key`, and the `position` of the
    newest transaction that it is about; or as *form* says a batch of CloudEvents, or one of them,
    whose data are the record. Requests carry the
    time at which they are sent, a key that is the same when the same batch is sent again, and
    with a *secret* a signature, see `sign`. ValueError for an unknown *form*.

    A target that can tell what it has does so at *list_url*: a signed GET (with an empty body)
    is answered with an object like the one posted, and the address of the next page, `next`,
    where there is one.
    """

    SECRETS = ("_secret",)
    _form = RECORDS

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
        form: str = RECORDS,
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, url, batch_size=batch_size)
        if form not in CONTENT_TYPES:
            raise ValueError(f"form is {form!r}: it must be one of {', '.join(CONTENT_TYPES)}")
        self._form = form
        self._secret = seal(secret)
        self._list_url = list_url

    def _prepare(self, record: Record) -> bytes:
        shown = self.told(record) | {"key": key_of(record, self.getLastTS())}
        return json_bytes(shown if self._form == RECORDS else cloud_event(shown, self._source))

    @property
    def _source(self) -> str:
        return f"{base_url(self._p_jar)}/livesync/{quote(self._id, safe='')}"

    def state_of(self, content: bytes) -> Any:
        """Return what of a record's *content* is the object's state."""
        if self._form == RECORDS:
            return super().state_of(content)
        return state_in(json.loads(content)["data"])

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
            post = partial(_post, target, self._id, unseal(self._secret), self._form)

            def post_each(items: Items) -> None:
                for item in items:
                    post([item])

            yield post_each if self._form == STRUCTURED else post


def _post(target: HttpTarget, agent_id: str, secret: str, form: str, items: Items) -> None:
    body = _body(form, [item.content for item in items])
    digest = hashlib.sha256("\n".join(item.key for item in items).encode()).hexdigest()
    headers = {"Content-Type": CONTENT_TYPES[form], KEY_HEADER: f"{agent_id}-{digest[:32]}"}
    target.post(body, headers | _signed(secret, body))


def _body(form: str, contents: list[bytes]) -> bytes:
    if form == BATCHED:
        return b"[" + b", ".join(contents) + b"]"
    return contents[0] if form == STRUCTURED else wrapped(contents)


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
