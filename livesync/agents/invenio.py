"""InvenioBatchUploaderAgent: it uploads MARCXML to a library catalogue of Invenio."""

from __future__ import annotations

import logging
import secrets

from livesync.agents.http import HttpTarget
from livesync.agents.marc import MarcAgent
from livesync.errors import AgentExecutionException

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


class InvenioBatchUploaderAgent(MarcAgent):
    """Uploads batches to the Invenio at *url*, which inserts or replaces records.

    An answer that begins with `[INFO]` accepts a batch.
    """

    def _upload(self, target: HttpTarget, marcxml: bytes, number: int) -> None:
        body, boundary = form(marcxml)
        headers = {
            "User-Agent": "invenio_connector",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        }
        answer = target.post(body, headers, PATH)
        if not answer.text.startswith("[INFO]"):
            raise AgentExecutionException(
                f"upload failed: Invenio did not answer with [INFO], but: {target.quote(answer)}"
            )
        log.info("%d records are in %s", number, target.quote(answer).split()[-1])


def form(marcxml: bytes) -> tuple[bytes, str]:
    """Return the form that uploads *marcxml*, and the boundary of its parts."""
    boundary = BOUNDARY
    while boundary.encode() in marcxml:
        boundary = DASHES + secrets.token_hex(6)
    head, tail = (part.format(boundary=boundary).encode() for part in FORM)
    return head + marcxml + tail, boundary
