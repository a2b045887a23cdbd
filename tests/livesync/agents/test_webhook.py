"""The webhook: batches of JSON, signed, with keys."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

from livesync import ActionWrapper
from livesync.agents.webhook import WebhookAgent, sign
from scheduler.store.position import is_token


def test_batches_are_posted_and_signed(tree, register, target):
    agent = register(
        WebhookAgent("hook", "Hook", "", 60, url=target.url, secret="secret", batch_size=3)
    )
    assert agent.run(None) is True

    assert len(target.requests) == 2
    for _, headers, body in target.requests:
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Livesync-Signature"] == sign(
            "secret", headers["X-Livesync-Timestamp"], body
        )
    records = [record for body in target.bodies for record in json.loads(body)["records"]]
    assert [record["id"] for record in records] == ["1", "1.2", "1.2.3", "9"]
    keys = {record["key"].partition("-")[0] for record in records}
    assert keys == {"1@1", "1.2@1", "1.2.3@1", "9@1"}


def test_a_batch_that_is_sent_again_has_the_same_key_and_one_with_news_another(
    tree, register, target, manager, commit
):
    agent = register(WebhookAgent("hook", "Hook", "", 60, url=target.url))
    target.answers = [(500, {}, b"")]
    assert agent.run(None) is None
    assert agent.run(None) is True
    manager.add(200, ActionWrapper(200, tree, ["data_changed"], "1"))
    commit()
    assert agent.run(None) is True

    first, second, third = (headers["Idempotency-Key"] for _, headers, _ in target.requests)
    assert first == second != third
    assert "X-Livesync-Signature" not in target.requests[0][1]


def test_of_what_is_restricted_the_public_is_told_that_it_is_there(tree, register, target):
    tree._protected = True
    register(WebhookAgent("hook", "Hook", "", 60, url=target.url)).run(None)

    event, *_ = json.loads(target.bodies[0])["records"]
    assert event.pop("key").startswith("1@1-")
    assert is_token(event.pop("position"))
    assert len(event.pop("transaction")) == 16
    assert event == {
        "id": "1",
        "status": "created",
        "type": "event",
        "restricted": True,
    }


@pytest.mark.parametrize("url", ["ftp://host/", "", "http://", "http://host:port/", "host"])
def test_a_url_that_cannot_be_posted_to_is_refused(url):
    with pytest.raises(ValueError, match="url is"):
        WebhookAgent("hook", "Hook", "", 60, url=url)


@pytest.mark.parametrize("form", ["cloudevents-batched", "cloudevents-structured"])
def test_records_are_posted_as_cloud_events(tree, register, target, form):
    hook = WebhookAgent("hook", "Hook", "", 60, url=target.url, secret="s", form=form)
    assert register(hook).run(None) is True
    types = {headers["Content-Type"] for _, headers, _ in target.requests}
    is_batched = form == "cloudevents-batched"
    assert types == {f"application/cloudevents{'-batch' if is_batched else ''}+json"}
    for _, headers, body in target.requests:
        assert headers["X-Livesync-Signature"] == sign("s", headers["X-Livesync-Timestamp"], body)
    bodies = [json.loads(body) for body in target.bodies]
    told = bodies[0] if is_batched else bodies
    events = [
        from_http_event(
            HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(one).encode())
        )
        for one in told
    ]
    assert [event.get_subject() for event in events] == [
        "event/1",
        "contribution/1.2",
        "subcontribution/1.2.3",
        "event/9",
    ]
    ends = [event.get_type().rpartition(".")[2] for event in events]
    assert ends == ["created", "created", "created", "deleted"]
    assert {event.get_source() for event in events} == {"/livesync/hook"}
    assert [event.get_data()["key"] for event in events] == [event.get_id() for event in events]
    assert all(one["transaction"] == one["data"]["transaction"] for one in told)


def test_a_cloud_event_that_is_sent_again_has_the_same_id(tree, register, target):
    hook = WebhookAgent("hook", "Hook", "", 60, url=target.url, form="cloudevents-structured")
    agent = register(hook)
    target.answers = [(204, {}, b""), (503, {}, b"")]
    assert agent.run(None) is None
    assert agent.run(None) is True
    ids = [json.loads(body)["id"] for body in target.bodies]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 4


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form is 'xml': it must be one of records"):
        WebhookAgent("hook", "Hook", "", 60, url="http://x.example", form="xml")
