"""A daemon with people who may log in, and a real browser that looks at its console.

Both are shared by the tests of a module. A test without a browser is skipped, and says so.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from daemon.config import Config
from daemon.service import Service
from export.people.roles import Role, roles
from export.people.user import Avatar, users
from scheduler.store import transact
from tests.places import ROOT

PASSWORD = "open sesame"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
PICTURE = {"width": 1280, "height": 860}
PEOPLE = {
    "ann": Role.ADMIN,
    "otto": Role.OPERATOR,
    "vera": Role.VIEWER,
    "nick": Role.NONE,
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def add_people(connection):
    """Add a user of each role, who can log in with PASSWORD."""
    for number, (login, role) in enumerate(PEOPLE.items()):
        user = Avatar(str(number), login.capitalize(), login=login)
        user.set_password(PASSWORD)
        users(connection).add(user)
        roles(connection).give(user.id, role)


@contextmanager
def running_daemon(folder, *, with_people=True, **sections):
    """A daemon on a database in *folder*, whose workers are threads of this process."""
    config = Config.of(
        {
            "database": f"file://{folder}/data.fs",
            "web": {"port": 0},
            "scheduler": {"multitask_mode": "threads", "sleep_interval": 1},
            **sections,
        }
    )
    with Service(config, threading.Event()) as service:
        if with_people:
            transact(service.database, add_people)
        yield service


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon of the module's own, with PEOPLE."""
    with running_daemon(tmp_path_factory.mktemp("console")) as service:
        yield service


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="there is no playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("there is no Chromium")
    options = ["--disable-gpu", "--no-first-run"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=options, chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture
def picture():
    """Keep a page as a picture of the documents, where PICTURES asks for new ones."""

    def keep(page, name):
        if os.environ.get("PICTURES"):
            page.set_viewport_size(PICTURE)
            page.screenshot(path=ROOT / "docs" / f"{name}.png")

    return keep


@pytest.fixture(scope="module")
def axe():
    """The checker of what everybody can read and use."""
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.fixture(scope="module")
def sessions():
    """The cookies of those who have logged in, by their logins."""
    return {}


@pytest.fixture
def visit(browser, daemon, sessions):
    """Open a page as a user, in a browser of their own; a fault that it reports fails the test.

    *expected* is a part of what it may report.
    """
    contexts, faults = [], []

    def open_page(path="/", user="ann", viewport=DESKTOP, scheme="light", expected="", **options):
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, base_url=daemon.web.url, **options
        )
        context.add_cookies(sessions.get(user, []))
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: is_fault(said, expected) and faults.append(said.text))
        page.goto(path)
        if user and "/login" in page.url:
            log_in(page, user, path)
            sessions[user] = context.cookies()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def is_fault(said, expected):
    """Say whether the browser complains, but for a form that was refused, or what is *expected*."""
    is_meant = "status of 422" in said.text or (expected and expected in said.text)
    return said.type == "error" and not is_meant


def log_in(page, user, path="/"):
    """Log in with the form, which leads to *path*."""
    page.goto(f"/login?next={quote(path)}")
    page.get_by_label("Login").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("nav")
