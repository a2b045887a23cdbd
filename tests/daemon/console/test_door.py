"""Who is let in, and what they may do there.

Covers `daemon.console.door`, `daemon.console.login`, `daemon.console.answers`,
`daemon.console.loopback`.
"""

from __future__ import annotations

import re

import pytest
from werkzeug.test import Client

from daemon.console.action_list import actions_of
from daemon.console.application import Console
from daemon.console.page import Action, Done
from daemon.console.pages import PAGES, audit
from daemon.errors import FieldFault
from daemon.service import plant
from export.auth.browser_sessions import COOKIE
from export.auth.login_throttle import ACCOUNT
from export.people.roles import Role
from export.people.user import users
from scheduler.store import transact
from tests.daemon.console.conftest import PASSWORD, add_people

HERE = {"REMOTE_ADDR": "127.0.0.1"}


def write(visit):
    """Do as the form says."""
    text = visit.form.get("text", "")
    if not text:
        raise FieldFault("text", "There is no text")
    if text == "secret":
        return Done("A secret is made", secret="sesame")
    return f"{text} is written"


WRITE = Action("/audit/write", write, audit.PAGE)
RULE = Action("/audit/rule", write, audit.PAGE, role=Role.ADMIN)


class Browser:
    """A client of one console, which keeps cookies."""

    def __init__(self, database, *, is_local=True, **environ):
        self._console = Console(database, is_local=is_local, pages=PAGES, actions=(*(WRITE, RULE),))
        self._client = Client(self._console)
        self._environ = HERE | environ

    def get(self, path="/", **options):
        return self._client.get(path, environ_overrides=self._environ, **options)

    def post(self, path, **fields):
        return self._client.post(path, data=fields, environ_overrides=self._environ)

    def log_in(self, login, password=PASSWORD, **fields):
        return self.post("/login", login=login, password=password, **fields)

    def act(self, path="/audit/write", **fields):
        token = re.search('name="csrf_token" value="(.*?)"', self.get("/audit").text)
        return self.post(path, csrf_token=token[1] if token else "", **fields)


@pytest.fixture
def guarded(database, monkeypatch):
    """A database with PEOPLE, whose passwords are compared at once."""
    monkeypatch.setattr(
        "werkzeug.security.check_password_hash", lambda kept, text: text == PASSWORD
    )
    monkeypatch.setattr("werkzeug.security.generate_password_hash", str.upper)
    transact(database, plant)
    transact(database, add_people)
    return database


def entries(database):
    return transact(database, lambda found: [entry[1:] for entry in actions_of(found).newest()])


def test_before_there_is_an_admin_this_machine_sees_all_and_changes_nothing(database):
    browser = Browser(database)
    assert "Read-only: nobody has to log in" in browser.get().text
    assert browser.act(text="anything").status_code == 403
    assert entries(database) == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"is_local": False},
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": "127.0.0.1.evil.example:80"},
    ],
)
def test_before_there_is_an_admin_others_see_nothing(database, elsewhere):
    browser = Browser(database, **elsewhere)
    for path in ("/", "/audit", "/console/events"):
        answer = browser.get(path)
        assert answer.status_code == 403
        assert "--role admin" in answer.text


@pytest.mark.parametrize("host", ["localhost:8080", "[::1]:8080", "127.0.0.1", "[::1]"])
def test_this_machine_has_several_names(database, host):
    assert Browser(database, HTTP_HOST=host).get().status_code == 200


def test_with_an_admin_everybody_logs_in_and_gets_where_they_wanted(guarded):
    browser = Browser(guarded)
    answer = browser.get("/audit?x=1")
    assert (answer.status_code, answer.location) == (303, "/login?next=/audit%3Fx%3D1")
    answer = browser.log_in("vera", next="/audit?x=1")
    assert (answer.status_code, answer.location) == (303, "/audit?x=1")
    assert browser.get("/audit").status_code == 200


def test_a_log_in_leads_to_no_other_site(guarded):
    for address in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
    ):
        assert Browser(guarded).log_in("vera", next=address).location == "/"


def test_the_cookie_is_for_this_site_and_no_script(guarded):
    answer = Browser(guarded, **{"wsgi.url_scheme": "https"}).log_in("vera")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        assert part in cookie


def test_a_wrong_password_is_refused_at_its_field(guarded):
    answer = Browser(guarded).log_in("ann", "wrong")
    assert answer.status_code == 422
    assert "Set-Cookie" not in answer.headers
    assert 'aria-describedby="password-fault"' in answer.text


def test_guesses_are_slowed_down(guarded):
    browser = Browser(guarded)
    for _ in range(ACCOUNT.burst):
        browser.log_in("ann", "wrong")
    assert "Too many wrong passwords" in browser.log_in("ann").text


def test_a_form_of_another_site_logs_nobody_in(guarded):
    browser = Browser(guarded, HTTP_SEC_FETCH_SITE="cross-site")
    assert browser.log_in("ann").status_code == 403


def test_a_user_without_a_role_sees_no_page(guarded):
    browser = Browser(guarded)
    browser.log_in("nick")
    assert browser.get("/audit").status_code == 403


@pytest.mark.parametrize(
    ("login", "statuses"), [("vera", (403, 403)), ("otto", (303, 403)), ("ann", (303, 303))]
)
def test_an_action_needs_its_role(guarded, login, statuses):
    browser = Browser(guarded)
    browser.log_in(login)
    for action, status in zip((WRITE, RULE), statuses, strict=True):
        assert browser.act(action.path, text="one").status_code == status
    assert len(entries(guarded)) == statuses.count(303)


def test_an_action_is_a_transaction_of_its_user_and_an_entry(guarded):
    browser = Browser(guarded)
    browser.log_in("otto")
    assert browser.act(text="one <b>").status_code == 303
    assert entries(guarded) == [("otto", "audit write", "one <b> is written")]
    done = guarded.history(transact(guarded, lambda c: actions_of(c)._by_time._p_oid))[0]
    assert (done["user_name"], done["description"]) == ("otto", "console: audit write")
    shown = browser.get("/audit")
    assert '<p class="told" role="status">one &lt;b&gt; is written</p>' in shown.text
    assert "told" not in browser.get("/audit").text


def test_an_action_without_the_token_of_its_session_does_nothing(guarded):
    browser = Browser(guarded)
    browser.log_in("ann")
    for fields in ({}, {"csrf_token": "0" * 64}):
        assert browser.post("/audit/write", text="one", **fields).status_code == 403
    assert entries(guarded) == []


def test_bad_input_is_told_at_its_field_and_nothing_is_done(guarded):
    browser = Browser(guarded)
    browser.log_in("ann")
    before = guarded.lastTransaction()
    assert browser.act().status_code == 422
    assert guarded.lastTransaction() == before


def test_a_secret_is_shown_once_and_kept_nowhere(guarded):
    browser = Browser(guarded)
    browser.log_in("ann")
    answer = browser.act(text="secret")
    assert (answer.status_code, answer.headers.get("Set-Cookie")) == (200, None)
    assert "sesame" in answer.text
    assert "sesame" not in browser.get("/audit").text
    assert entries(guarded) == [("ann", "audit write", "A secret is made")]


def test_whoever_logs_out_is_out(guarded):
    browser = Browser(guarded)
    browser.log_in("ann")
    cookie = browser._client.get_cookie(COOKIE)
    assert browser.act("/logout").status_code == 303
    browser._client.set_cookie(COOKIE, cookie.value)
    assert browser.get("/audit").status_code == 303


@pytest.mark.parametrize("change", ["block", "password", "remove"])
def test_a_session_ends_with_its_password_and_its_user(guarded, change):
    def work(connection):
        user = users(connection).find_by_login("ann")
        if change == "block":
            user.blocked = True
        elif change == "password":
            user.set_password("another")
        else:
            users(connection).remove(user)

    browser = Browser(guarded)
    browser.log_in("ann")
    assert browser.get("/audit").status_code == 200
    transact(guarded, work)
    assert browser.get("/audit").status_code == 303
    assert browser.get("/audit", headers={"X-Live": "1"}).status_code == 401


def test_no_page_may_run_scripts_of_others_or_be_framed(guarded):
    policy = Browser(guarded).get("/login").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


def test_unknown_addresses_and_methods_are_refused(guarded):
    browser = Browser(guarded)
    browser.log_in("ann")
    assert browser.get("/audit/nothing").status_code == 404
    assert browser.get("/audit/write").location == "/audit"
    assert browser.post("/audit").status_code == 405
    assert browser.get("/console/..%2f..%2fdoor.py").status_code == 404
