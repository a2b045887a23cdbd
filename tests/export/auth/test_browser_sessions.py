"""Sessions of browsers, with a token of their own against forged requests (reference 5.1.2).

Covers `export.auth.login_throttle`, `export.resources.login`, `export.people.user`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from werkzeug.test import Client

from export.app import make_app
from export.auth.browser_sessions import COOKIE, LIFETIME, sessions
from export.auth.login_throttle import ACCOUNT, ADDRESS, AT_ONCE, guesses_of
from export.model.access import Protection
from export.people.user import Avatar, users
from scheduler.clock import nowutc
from scheduler.store import transact
from scheduler.store.schema import ROOT_KEY
from tests.export.planting import change, error, get, plant
from tests.waiting import DEADLINE, wait_for

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
def test_a_caller_without_the_password_is_not_let_in(browser, changed):
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


def test_a_session_ends_after_its_lifetime_and_is_removed(browser, token, closed, clock):
    clock.advance((LIFETIME + timedelta(seconds=1)).total_seconds())
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


def test_sessions_end_when_the_password_changes(browser, token, closed):
    def change_password(connection):
        users(connection).find("7").set_password("another")

    assert browser.get("/api/session").json["user"] == "7"
    transact(closed, change_password)
    assert browser.get("/api/session").json is None
    assert get(browser, f"{PATH}&csrftoken={token}") == []


def test_the_same_password_set_again_ends_sessions_too(browser, token, closed):
    transact(closed, lambda connection: users(connection).find("7").set_password("open sesame"))
    assert browser.get("/api/session").json is None


def guess(app, name, address, word="wrong"):
    sent = {"username": name, "password": word}
    return Client(app).post("/api/login", data=sent, environ_base={"REMOTE_ADDR": address})


@pytest.fixture
def quick(monkeypatch):
    """Passwords that are checked in no time: the guesses are what counts."""
    monkeypatch.setattr("export.auth.token_buckets.monotonic", lambda: 0.0)
    monkeypatch.setattr("werkzeug.security.check_password_hash", lambda kept, text: text == "right")


@pytest.mark.usefixtures("quick")
def test_guesses_of_an_account_are_slowed_from_wherever_they_come(closed):
    app = make_app(closed)
    statuses = [guess(app, "ann", f"192.0.2.{n}").status_code for n in range(30)]
    assert statuses == [403] * ACCOUNT.burst + [429] * (30 - ACCOUNT.burst)
    refused = guess(app, "ann", "192.0.2.99", "right")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= ACCOUNT.seconds
    assert guess(app, "bob", "192.0.2.1").status_code == 403


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::{:x}"])
def test_guesses_from_an_address_are_slowed_whoever_is_guessed(closed, address):
    app = make_app(closed)
    statuses = [guess(app, f"user{n}", address.format(n)).status_code for n in range(50)]
    assert statuses == [403] * ADDRESS.burst + [429] * (50 - ADDRESS.burst)
    elsewhere = guess(app, "ann", "198.51.100.1", "right")
    assert elsewhere.status_code == 200


@pytest.mark.usefixtures("quick")
def test_known_callers_are_not_shut_out_by_those_who_guess(closed):
    app = make_app(closed)
    assert guess(app, "ann", "192.0.2.1", "right").status_code == 200
    for n in range(20):
        guess(app, "ann", f"198.51.100.{n}")
    assert guess(app, "ann", "192.0.2.1", "right").status_code == 200
    assert guess(app, "ann", "203.0.113.1", "right").status_code == 429


@pytest.mark.usefixtures("quick")
def test_a_right_password_is_no_guess(closed):
    app = make_app(closed)
    for _ in range(3 * ADDRESS.burst):
        assert guess(app, "ann", "192.0.2.1", "right").status_code == 200


def test_no_more_passwords_are_checked_at_a_time_than_leave_threads_for_others(closed, monkeypatch):
    entered, leave = threading.Semaphore(0), threading.Event()

    def check(kept, text):
        entered.release()
        assert leave.wait(DEADLINE)
        return False

    monkeypatch.setattr("werkzeug.security.check_password_hash", check)
    app = make_app(closed)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(guess, app, f"u{n}", "") for n in range(AT_ONCE)]
        assert entered.acquire(timeout=200)
        wait_for(lambda: not guesses_of(closed)._waiting._value)
        refused = guess(app, "one more", "")
        leave.set()
        assert {each.result().status_code for each in waiting} == {403}
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_sessions_of_an_older_database_have_ended(browser, token, closed):
    def make_old(connection):
        found = sessions(connection)
        connection.root()[ROOT_KEY]["sessions"] = (1, found)

    transact(closed, make_old)
    assert browser.get("/api/session").json is None
