"""Uploads to Invenio, byte by byte."""

from __future__ import annotations

import email
import io

import pymarc
import pytest

from livesync.agents.invenio import BOUNDARY, InvenioBatchUploaderAgent, form

ACCEPTED = (200, {}, b"[INFO] Some uploads are in /opt/var/upload_1.xml\n")


@pytest.fixture
def agent(register, target):
    return register(InvenioBatchUploaderAgent("inv", "Invenio", "", 60, url=f"{target.url}/"))


def test_records_are_posted_as_invenio_wants_them(tree, agent, target):
    target.answers = [ACCEPTED]
    assert agent.run(None) is True

    ((path, headers, body),) = target.requests
    assert path == "/batchuploader/robotupload"
    assert headers["User-Agent"] == "invenio_connector"
    assert headers["Content-Type"] == f"multipart/form-data; boundary={BOUNDARY}"
    assert "Authorization" not in headers
    head, _, marcxml = body.partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "--" + "-" * 28 + "6510e6bc42e6",
        "Content-Type: application/octet-stream",
        "MIME-Version: 1.0",
        'Content-Disposition: form-data; name="file"; filename="marcxml_upload.xml"',
    ]
    assert body.endswith(
        (
            f"\r\n--{BOUNDARY}\r\n"
            'Content-Type: text/plain; charset="us-ascii"\r\n'
            "MIME-Version: 1.0\r\n"
            "Content-Transfer-Encoding: 7bit\r\n"
            'Content-Disposition: form-data; name="mode"\r\n'
            f"\r\n-ir\r\n--{BOUNDARY}--\r\n"
        ).encode()
    )
    marcxml = marcxml.partition(f"\r\n--{BOUNDARY}".encode())[0]
    records = pymarc.parse_xml_to_array(io.BytesIO(marcxml))
    assert [record["970"]["a"] for record in records] == [
        *("INDICO.1", "INDICO.1.2", "INDICO.1.2.3", "INDICO.9")
    ]
    assert records[3]["980"]["c"] == "DELETED"


def test_any_mail_library_reads_the_form(tree, agent, target):
    target.answers = [ACCEPTED]
    agent.run(None)

    _, headers, body = target.requests[0]
    message = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
    )
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }
    assert parts["mode"] == b"-ir"
    assert parts["file"].startswith(b"<?xml")


@pytest.mark.parametrize("answer", [b"", b"[ERROR] no", b"\xff\xfe", b"<html>"])
def test_anything_but_info_is_a_failure(tree, agent, target, answer):
    target.answers = [(200, {}, answer)]

    assert agent.run(None) is None
    assert "upload failed" in agent.last_failure[1]


def test_a_boundary_that_is_in_a_record_is_not_used():
    body, boundary = form(f"<a>{BOUNDARY}</a>".encode())
    assert boundary != BOUNDARY
    assert body.count(boundary.encode()) == 3
