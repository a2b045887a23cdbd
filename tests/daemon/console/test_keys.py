"""A user makes and revokes their own keys, tokens and feeds, in a browser.

Covers `daemon.console.pages.keys`.
"""

from __future__ import annotations

import httpx
import pytest

from export.auth.api_keys import key_ring
from export.auth.feeds import feeds
from export.auth.tokens import tokens
from export.signature import build_indico_request
from scheduler.store import transact
from scheduler.store.read_view import read_view


@pytest.fixture
def nick(visit):
    """The page of Nick, who has no role."""
    return visit("/keys", user="nick")


def row(page, name):
    return page.get_by_role("row", name=name)


@pytest.mark.clicks("keys.html: Make token", "keys.html: Reset token", "keys.html: Revoke token")
def test_a_token_is_made_used_reset_and_revoked(nick, daemon):
    nick.get_by_label("Name", exact=True).fill("reader")
    nick.get_by_label("User information (read only)").check()
    nick.get_by_role("button", name="Make token").click()
    text = nick.locator(".secret").inner_text()

    def status(token):
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{daemon.web.url}/api/user/", headers=headers).status_code

    assert (text[:5], status(text)) == ("indp_", 200)
    assert "read:user" in row(nick, "reader").inner_text()
    nick.goto("/keys")
    assert text not in nick.content()

    nick.get_by_role("button", name="Reset token reader").click()
    other = nick.locator(".secret").inner_text()
    assert [status(text), status(other)] == [401, 200]
    nick.get_by_role("button", name="Revoke token reader").click()
    nick.get_by_text("The token reader is revoked").wait_for()
    assert status(other) == 401
    with read_view(daemon.database) as connection:
        assert tokens(connection).find(other).revoked is not None


def test_bad_input_is_shown_at_its_field_and_nothing_is_made(nick, daemon):
    nick.get_by_label("Name", exact=True).fill("without")
    nick.get_by_role("button", name="Make token").click()
    nick.get_by_text("Choose what the token may do").wait_for()
    assert nick.get_by_label("Name", exact=True).input_value() == "without"
    nick.get_by_label("Address", exact=True).fill("/nowhere")
    nick.get_by_role("button", name="Make feed").click()
    assert "is no address of the export" in nick.locator("#address-fault").inner_text()
    assert nick.get_by_label("Address", exact=True).get_attribute("aria-invalid") == "true"
    with read_view(daemon.database) as connection:
        assert [*feeds(connection)] == []
        assert tokens(connection).of("3") == []


@pytest.mark.clicks("keys.html: Make API key", "keys.html: Revoke key")
def test_a_key_is_made_used_and_revoked(nick, daemon):
    nick.get_by_role("button", name="Make API key").click()
    (_, key), (_, secret) = (
        line.split() for line in nick.locator(".secret").inner_text().splitlines()
    )
    address = build_indico_request("/export/categ/0.json", {}, key, secret)
    assert httpx.get(daemon.web.url + address).status_code == 200
    nick.goto("/keys")
    assert secret not in nick.content()
    nick.get_by_role("button", name="Revoke key").click()
    nick.get_by_text("is revoked").wait_for()
    assert httpx.get(daemon.web.url + address).status_code == 403
    with read_view(daemon.database) as connection:
        assert key_ring(connection).of("3") is None


@pytest.mark.clicks("keys.html: Make feed", "keys.html: Revoke feed")
def test_a_feed_is_made_and_revoked(nick, daemon):
    nick.get_by_label("Address", exact=True).fill("/export/categ/0.ics?from=-7d")
    nick.get_by_role("button", name="Make feed").click()
    address = nick.locator(".secret").inner_text()
    assert httpx.get(daemon.web.url + address).status_code == 200
    nick.get_by_role("button", name="Revoke feed /export/categ/0.ics").click()
    nick.get_by_text("is revoked").wait_for()
    assert httpx.get(daemon.web.url + address).status_code == 403


def test_nobody_touches_what_is_another_ones(visit, daemon):
    def work(connection):
        token, _ = tokens(connection).create("0", "ann's", ["read:user"])
        return token.id

    number = transact(daemon.database, work)
    page = visit("/keys", user="nick")
    assert "ann's" not in page.content()
    token = page.locator("[name=csrf_token]").first.get_attribute("value")
    answer = page.request.post(f"/keys/tokens/{number}/revoke", form={"csrf_token": token})
    assert answer.status == 404
    with read_view(daemon.database) as connection:
        assert [each.name for each in tokens(connection).of("0")] == ["ann's"]
