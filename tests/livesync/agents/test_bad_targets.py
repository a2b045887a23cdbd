"""Targets that do anything but take what they are sent, and records that no target could take.

Covers `livesync.agents.http`, `livesync.agents.target`, `livesync.agents.timelimit`,
`livesync.cli.agent_types`.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from livesync import ActionWrapper
from livesync.agents import http
from livesync.agents import target as base
from livesync.agents.http import HttpAgent
from livesync.agents.target import TargetUploader
from livesync.agents.webhook import WebhookAgent
from livesync.cli.agent_types import edit
from livesync.errors import AgentExecutionException, Overloaded, PartialFailure, TargetFault
from livesync.records.reduction import STATUS_CREATED, Record
from scheduler.clock import nowutc
from tests.livesync.stand_ins import Conference


@pytest.fixture
def upload(target):
    """Return a function that sends records to the target as one batch."""

    def upload(*records):
        agent = WebhookAgent("hook", "Hook", "", 60, url=f"{target.url}/in?token=secret")
        agent.getLastTS = lambda: None
        with agent._sender() as send:
            TargetUploader(None, agent, 1000, agent._prepare, send)._uploadBatch(list(records))

    return upload


@pytest.fixture
def record():
    return Record(Conference("1", title="A title"), "1", STATUS_CREATED, 1)


def close(handler):
    handler.connection.close()


def close_in_the_middle(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"so far")


def garbage(handler):
    handler.wfile.write(b"\x00\xffwhat?\r\n\r\n")


def hang(handler):
    handler.server.let_go.wait(60)


def never_ending(handler):
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.let_go.wait(0.01):
        handler.wfile.write(b"and then ")


def dripping(handler):
    """Never send nothing for long, and never get to the end of the headers."""
    handler.send_response(200)
    handler.flush_headers()
    while not handler.server.let_go.wait(0.01):
        handler.wfile.write(b"X-More: " + b"and more" * 5 + b"\r\n")


@pytest.mark.parametrize(
    "answer", [close, close_in_the_middle, garbage, hang, never_ending, dripping]
)
def test_a_target_that_does_not_answer_properly_is_a_failure_that_names_it(
    target, upload, record, answer, monkeypatch
):
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(http, "LONGEST_EXCHANGE_SECONDS", 1)
    target.answers = [answer]

    with pytest.raises(TargetFault, match=f"{target.url}/in cannot be reached"):
        upload(record)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, {"Location": "http://elsewhere/"}, "redirects are not followed"),
        (401, {}, "401 Unauthorized instead of accepting: no"),
        (400, {}, "400 Bad Request instead of accepting: no"),
        (500, {}, "500 Internal Server Error instead of accepting: no"),
    ],
)
def test_an_answer_that_accepts_nothing_is_told(target, upload, record, status, headers, said):
    target.answers = [(status, headers, b"no")]

    with pytest.raises(AgentExecutionException, match=said) as caught:
        upload(record)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, TargetFault) == (status in {302, 401})
    assert len(target.requests) == 1


def test_megabytes_of_error_are_cut(target, upload, record):
    target.answers = [(500, {}, b"\x1b[31m no \n" * 2**20)]

    with pytest.raises(AgentExecutionException) as caught:
        upload(record)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_megabytes_of_agreement_are_too_much(target, upload, record, monkeypatch):
    monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)
    target.answers = [(200, {}, b"yes " * 1000)]

    with pytest.raises(AgentExecutionException, match="answered with more than 1,000 bytes"):
        upload(record)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("7", 7), ("-7", None), ("soon", None), (None, None)),
        *(("Wed, 21 Oct 2015 07:28:00 GMT", 0), (f"Wed, {'9' * 20} Oct 2015 07:28:00 GMT", None)),
    ],
)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_target_that_wants_it_later_says_when(target, upload, record, status, value, seconds):
    target.answers = [(status, {"Retry-After": value} if value else {}, b"")]

    with pytest.raises(Overloaded) as caught:
        upload(record)
    assert caught.value.retry_after == seconds


def test_a_date_to_come_back_at_is_seconds_from_now():
    later = (nowutc() + timedelta(minutes=5)).astimezone(UTC)
    value = datetime.strftime(later, "%a, %d %b %Y %H:%M:%S GMT")

    assert 200 < http.retry_after(httpx.Headers({"Retry-After": value})) <= 300


def test_user_and_password_are_used_but_never_shown(target, record, caplog):
    caplog.set_level(logging.DEBUG)
    url = target.url.replace("://", "://ann:pass%21word@")
    agent = WebhookAgent("hook", "Hook", "", 60, url=f"{url}/?token=s3cret")
    agent.getLastTS = lambda: None
    target.answers = [(500, {}, b"ann may not, not with pass!word")]
    with agent._sender() as send:
        uploader = TargetUploader(None, agent, 1000, agent._prepare, send)
        with pytest.raises(AgentExecutionException) as caught:
            uploader._uploadBatch([record])

    assert target.requests[0][1]["Authorization"] == "Basic YW5uOnBhc3Mhd29yZA=="
    told = f"{caught.value} {agent.url.partition('?')[0]} {agent!r} {caplog.text}"
    for secret in ("pass", "s3cret", "YW5u"):
        assert secret not in told


def test_a_password_does_not_go_along_to_another_address(target, record):
    agent = WebhookAgent("hook", "Hook", "", 60, url="https://ann:secret@example.org/")
    edit(agent, {"description": "Still there"}, {})
    assert agent._login() == ("ann", "secret")
    edit(agent, {}, {"url": target.url})
    assert agent._login() is None


def test_a_url_that_is_refused_is_not_repeated_with_its_password():
    with pytest.raises(ValueError, match="url is") as caught:
        HttpAgent("hook", "Hook", "", 60, url="ftp://ann:secret@host/")
    assert "secret" not in str(caught.value)


def test_a_record_of_50_megabytes_is_refused_and_the_others_sent(target, upload, record):
    huge = Record(Conference("2", title="x" * 50 * 2**20), "2", STATUS_CREATED, 1)

    with pytest.raises(PartialFailure, match="bytes, more than this agent sends") as caught:
        upload(record, huge, Record(Conference("3"), "3", STATUS_CREATED, 1))
    assert caught.value.refused.keys() == {1}
    assert [one["id"] for one in json.loads(target.bodies[0])["records"]] == ["1", "3"]


def test_a_batch_of_many_megabytes_is_sent_in_parts(target, upload, monkeypatch):
    monkeypatch.setattr(base.TargetAgent, "LARGEST_UPLOAD", 1000)
    upload(
        *(
            Record(Conference(str(number), title="x" * 400), str(number), STATUS_CREATED, 1)
            for number in range(5)
        )
    )

    sent = [[one["id"] for one in json.loads(body)["records"]] for body in target.bodies]
    assert sent == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize("obj_id", ["\ud800", "a\0b"])
def test_an_id_that_is_no_text_is_refused(target, upload, record, obj_id):
    with pytest.raises(PartialFailure, match="is no text") as caught:
        upload(Record(None, obj_id, 1, 1), record)
    assert caught.value.refused.keys() == {0}
    assert len(target.requests) == 1


def test_a_record_that_cannot_be_told_is_refused_alone(target, upload, record):
    class Locked(Conference):
        def getTitle(self):
            raise RuntimeError("no key")

    with pytest.raises(PartialFailure) as caught:
        upload(Record(Locked("2"), "2", STATUS_CREATED, 1), record)
    assert caught.value.refused == {0: "RuntimeError: no key"}
    assert len(json.loads(target.bodies[0])["records"]) == 1


def test_titles_of_anything_at_all_make_well_formed_json(target, upload):
    upload(Record(Conference("1", title="\ud800\x00\x1b\u2028"), "1", STATUS_CREATED, 1))

    (told,) = json.loads(target.bodies[0])["records"]
    assert told["title"] == "\ufffd\x00\x1b\u2028"


def test_a_target_that_is_down_is_a_failure_that_names_it(manager, register, commit):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url="http://me:pass@127.0.0.1:1/"))
    manager.add(100, ActionWrapper(100, Conference("9"), ["deleted"], "9"))
    commit()

    assert agent.run(None) is None
    assert "http://127.0.0.1:1/ cannot be reached" in agent.last_failure[1]
