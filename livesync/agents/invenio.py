"""InvenioBatchUploaderAgent: it uploads MARCXML to a library catalogue of Invenio."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from livesync.agents.http import HttpAgent, HttpTarget
from livesync.agents.target import Items, Send
from livesync.errors import AgentExecutionException
from livesync.records.marcxml import collected, record_xml
from livesync.records.reduction import Record

log = logging.getLogger(__name__)

PATH = "/batchuploader/robotupload"
INSERT_OR_REPLACE = "-ir"
DASHES = "-" * 28
BOUNDARY = DASHES + "6510e6bc42e6"
FORM = (
    "--{boundary}\r\n"
    "Content-Type: application/octet-stream\r\n"
    "MIME-Version: 1.0\r\n"
    'Content-Disposition: form-data; name="file"; filename="marcxml_upload.xml"\r\n'
    "\r\n",
    "\r\n--{boundary}\r\n"
    'Content-Type: text/plain; charset="us-ascii"\r\n'
    "MIME-Version: 1.0\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    'Content-Disposition: form-data; name="mode"\r\n'
    "\r\n" + INSERT_OR_REPLACE + "\r\n--{boundary}--\r\n",
)


class InvenioBatchUploaderAgent(HttpAgent):
    """Uploads batches to the Invenio at *url*, which inserts or replaces records.

    An answer that begins with `[INFO]` accepts a batch.
    """

    @property
    def tells_of_owners(self) -> bool:
        """Whether the records of parts tell of their owners: those in MARCXML do."""
        return True

    def _prepare(self, record: Record) -> bytes:
        return record_xml(record, self._access)

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        with self._connected() as target:
            yield partial(_upload, target)


def _upload(target: HttpTarget, items: Items) -> None:
    body, boundary = form(collected([item.content for item in items]))
    headers = {
        "User-Agent": "invenio_connector",
        "Content-Type": f"multipart/form-data; boundary={boundary}",
    }
    answer = target.post(body, headers, PATH)
    if not answer.text.startswith("[INFO]"):
        raise AgentExecutionException(
            f"upload failed: Invenio did not answer with [INFO], but: {target.quote(answer)}"
        )
    log.info("%d records are in %s", len(items), target.quote(answer).split()[-1])


def form(marcxml: bytes) -> tuple[bytes, str]:
    """Return the form that uploads *marcxml*, and the boundary of its parts."""
    boundary = BOUNDARY
    while boundary.encode() in marcxml:
        boundary = DASHES + secrets.token_hex(6)
    head, tail = (part.format(boundary=boundary).encode() for part in FORM)
    return head + marcxml + tail, boundary
