"""Sessions of browsers, with a token of their own against forged requests (reference 5.1.2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.model.access import Protection
from export.model.user import Avatar, users
from export.sessions import COOKIE, LIFETIME, sessions
from scheduler.clock import TimeSource, nowutc
from scheduler.store import transact
from tests.export.planting import change, error, get, plant

PATH = "/export/event/137346.json?cookieauth=yes"


@pytest.fixture
def closed(database):
    """The planted event, open to Ann alone, who can log in."""

    def add(connection):
        ann = Avatar("7", "Ann", login="ann")
        ann.set_password("open sesame")
        users(connection).add(ann)

    transact(database, plant)
    transact(database, add)
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    change(database, lambda event: event.grant_access("7"))
    return database


@pytest.fixture
def browser(closed):
    """Somebody's browser, in which nobody is logged in."""
    return Client(make_app(closed))


@pytest.fixture
def token(browser):
    """The CSRF token of the session that has begun in the browser."""
    return log_in(browser).json["csrf_token"]


def log_in(browser, **changed):
    sent = {"username": "ann", "password": "open sesame", **changed}
    return browser.post("/api/login", data=sent)


def test_a_page_that_shows_its_token_acts_as_who_is_logged_in(browser, token):
    assert len(get(browser, f"{PATH}&csrftoken={token}")) == 1
    shown = browser.get(PATH, headers={"X-CSRF-Token": token})
    assert len(shown.json["results"]) == 1
    assert get(browser, "/export/event/137346.json") == []


@pytest.mark.parametrize("wrong", ["", "&csrftoken=", "&csrftoken=0", "&csrftoken=%ff"])
def test_a_page_of_another_site_is_refused(browser, token, wrong):
    assert error(browser, PATH + wrong) == (403, "Invalid CSRF token")


def test_nothing_of_the_token_is_repeated_in_the_answer(browser, token):
    assert token not in browser.get(f"{PATH}&csrftoken={token}").text


@pytest.mark.parametrize(
    "changed", [{"password": "wrong"}, {"username": "bob"}, {"password": ""}, {"username": ""}]
)
def test_who_does_not_know_the_password_is_not_let_in(browser, changed):
    answer = log_in(browser, **changed)
    assert (answer.status_code, answer.json["message"]) == (403, "Unknown user or wrong password")
    assert "Set-Cookie" not in answer.headers


def test_a_user_without_a_password_cannot_log_in(browser, closed):
    transact(closed, lambda connection: users(connection).add(Avatar("8", login="bob")))
    assert log_in(browser, username="bob", password="").status_code == 403


def test_nobody_logged_in_is_left_to_the_rules_of_keys(browser, closed):
    assert get(browser, PATH) == []
    strict = Client(make_app(closed, {"api_mode": "ONLYKEY"}))
    assert error(strict, PATH) == (403, "API key is missing")


def test_a_session_ends_when_it_is_closed(browser, token):
    assert browser.post("/api/logout").json["message"] == "Invalid CSRF token"
    browser.post("/api/logout", headers={"X-CSRF-Token": token})
    assert browser.get_cookie(COOKIE) is None
    assert get(browser, f"{PATH}&csrftoken={token}") == []


class Later(TimeSource):
    def getCurrentTime(self):
        return super().getCurrentTime() + LIFETIME + timedelta(seconds=1)


@pytest.fixture
def pass_lifetime():
    before = TimeSource.get()
    yield lambda: TimeSource.set(Later())
    TimeSource.set(before)


def test_a_session_ends_after_its_lifetime_and_is_removed(browser, token, closed, pass_lifetime):
    pass_lifetime()
    assert get(browser, f"{PATH}&csrftoken={token}") == []
    log_in(Client(make_app(closed)))
    ends = transact(closed, lambda connection: list(sessions(connection)._by_end))
    assert [moment > nowutc() for moment, _ in ends] == [True]


def test_a_session_cannot_post(browser, token):
    answer = browser.post(
        "/api/logout?cookieauth=yes", data={"csrftoken": token}, headers={"X-CSRF-Token": "0"}
    )
    assert answer.status_code == 403


def test_a_page_is_told_the_token_of_its_session(browser, token):
    answer = browser.get("/api/session")
    assert answer.json == {"user": "7", "csrf_token": token}
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get("/api/user/").json["first_name"] == "Ann"
    browser.delete_cookie(COOKIE)
    assert browser.get("/api/session").json is None


def test_the_cookie_is_for_this_site_alone_and_hidden_from_scripts(closed):
    browser = Client(make_app(closed, {"https_required": True}))
    sent = {"username": "ann", "password": "open sesame"}
    assert browser.post("/api/login", data=sent).json["message"] == "HTTPS is required"
    answer = browser.post("/api/login", data=sent, base_url="https://localhost")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_a_session_of_a_blocked_user_opens_nothing(browser, token, closed):
    transact(closed, lambda connection: setattr(users(connection).find("7"), "blocked", True))
    assert get(browser, f"{PATH}&csrftoken={token}") == []
    assert log_in(browser).status_code == 403
