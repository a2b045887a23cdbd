"""The webhook: batches of JSON, signed, with keys."""

from __future__ import annotations

import json

import pytest

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
