"""Uploads to CERN Search.

Covers `livesync.agents.marc`.
"""

from __future__ import annotations

import base64
import io
from urllib.parse import parse_qs

import pymarc
import pytest

from livesync.agents.cernsearch import CERNSearchUploadAgent

TRUE = b'<?xml version="1.0"?><boolean xmlns="http://tempuri.org/">\n true </boolean>'


@pytest.fixture
def agent(register, target):
    return register(
        CERNSearchUploadAgent(
            "cern", "CERN", "", 60, url=target.url, username="ann", password="p:ß" + "x" * 100
        )
    )


def test_records_are_posted_as_a_form_with_basic_credentials(tree, agent, target):
    target.answers = [(200, {}, TRUE)]
    assert agent.run(None) is True

    ((path, headers, body),) = target.requests
    assert path == "/ImportXML"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    credentials = base64.b64encode(("ann:p:ß" + "x" * 100).encode()).decode()
    assert headers["Authorization"] == f"Basic {credentials}"
    (marcxml,) = parse_qs(body.decode())["xml"]
    assert len(pymarc.parse_xml_to_array(io.StringIO(marcxml))) == 4


BOMB = b'<!DOCTYPE a [<!ENTITY a "true">]><a>&a;</a>'


@pytest.mark.parametrize("answer", [b"", b"true", b"<a>false</a>", b"<a>true", BOMB, b"\xff"])
def test_anything_but_true_is_a_failure(tree, agent, target, answer):
    target.answers = [(200, {}, answer)]

    assert agent.run(None) is None
    assert "upload failed" in agent.last_failure[1]


def test_true_with_another_status_is_a_failure(tree, agent, target):
    target.answers = [(202, {}, TRUE)]

    assert agent.run(None) is None
