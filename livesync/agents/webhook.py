"""WebhookAgent: it posts each batch of records as JSON to a URL, signed."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable
from typing import Any

import httpx
from ZODB.Connection import Connection

from livesync.agent import PushSyncAgent
from livesync.errors import AgentExecutionException
from livesync.records import documents_json, present
from livesync.reduction import Record
from livesync.uploader import RecordUploader
from scheduler.clock import nowutc

TIMESTAMP_HEADER = "X-Livesync-Timestamp"
SIGNATURE_HEADER = "X-Livesync-Signature"
KEY_HEADER = "Idempotency-Key"
TIMEOUT_SECONDS = 30.0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of *body* sent at *timestamp*: `sha256=` and an HMAC in hex digits.

    The HMAC's message is the timestamp, a dot, and the body as it is sent.
    """
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


class WebhookAgent(PushSyncAgent):
    """Posts batches of records to *url*; any 2xx answer accepts a batch.

    The body is a JSON object with the list `records`. Requests carry the time at which they
    are sent, a key that is the same when the same batch is sent again, and with a *secret*
    a signature, see `sign`.
    """

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        *,
        url: str,
        secret: str = "",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access)
        self.url = url
        self._secret = secret
        self._batch_size = batch_size

    @property
    def url(self) -> str:
        """Where the batches are posted to; ValueError for what is no http or https address."""
        return self._url

    @url.setter
    def url(self, url: str) -> None:
        if httpx.URL(url).scheme not in {"http", "https"}:
            raise ValueError(f"url is {url!r}: it must begin with http:// or https://")
        self._url = url

    def _run(
        self,
        data: Iterable[Record],
        logger: logging.Logger | None = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> bool:
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            poster = Poster(logger, self, self._batch_size, client, self._url, self._secret)
            return poster.iterateOver(present(data), dbi)


class Poster(RecordUploader):
    """Posts each batch with *client*."""

    def __init__(
        self,
        logger: logging.Logger | None,
        agent: PushSyncAgent,
        batchSize: int,
        client: httpx.Client,
        url: str,
        secret: str,
    ) -> None:
        super().__init__(logger, agent, batchSize)
        self._client = client
        self._url = url
        self._target = str(httpx.URL(url).copy_with(userinfo=b"", query=None))
        self._secret = secret

    def _uploadBatch(self, batch: list[Record]) -> None:
        body = documents_json(batch).encode()
        try:
            answer = self._client.post(self._url, content=body, headers=self._headers(body))
        except httpx.HTTPError as error:
            raise AgentExecutionException(
                f"{self._target} cannot be reached ({type(error).__name__}: {error}): check the "
                "agent's URL, and that its target is up"
            ) from error
        if not answer.is_success:
            raise AgentExecutionException(
                f"{self._target} answered {answer.status_code} {answer.reason_phrase} instead of "
                f"accepting {len(batch)} records: {answer.text[:200]}"
            )

    def _headers(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(nowutc().timestamp()))
        position = self._agent.getLastTS()
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: timestamp,
            KEY_HEADER: f"{self._agent.getId()}-{position}-{digest[:32]}",
        }
        if self._secret:
            headers[SIGNATURE_HEADER] = sign(self._secret, timestamp, body)
        return headers
