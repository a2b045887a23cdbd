"""A daemon with people who may log in, and a real browser that looks at its console.

Both are shared by the tests of a module. A test without a browser is skipped, and says so.

A test with the mark `clicks` names the buttons that it clicks, and it fails if it has not. It runs
at each of PLACES: with so many tasks in the database, and with such a browser; and what it leaves
in the browser must be such that everybody can read it.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from itertools import product
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import pytest

from daemon.config import Config
from daemon.service import Service
from export.people.roles import Role, roles
from export.people.user import Avatar, users
from scheduler.store import transact
from tests.daemon.console.buttons import template_of
from tests.daemon.console.filled import copied, fill
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
RECORD = """document.addEventListener("click", (event) => {
  const button = event.target.closest("button, a.button, summary.button");
  if (button) noteClick(button.innerText, Boolean(button.closest("#content")));
}, true)"""
WIDER = """[...document.querySelectorAll("body *")]
  .filter((each) => document.documentElement.scrollWidth > innerWidth)
  .filter((each) => each.getBoundingClientRect().right > innerWidth)
  .map((each) => each.outerHTML.slice(0, 200))"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Place(NamedTuple):
    """Where a button is clicked: so many tasks are there, and such is the browser."""

    tasks: int = 0
    viewport: dict[str, int] = DESKTOP
    scheme: str = "light"

    def __str__(self):
        return f"{self.tasks}-{self.viewport['width']}-{self.scheme}"


PLACES = [Place(), Place(500, PHONE, "dark")]
if os.environ.get("SOAK"):
    PLACES = [
        Place(*each) for each in product((0, 500, 100_000), (DESKTOP, PHONE), ("light", "dark"))
    ]


def pytest_generate_tests(metafunc):
    if "place" in metafunc.fixturenames:
        places = PLACES if metafunc.definition.get_closest_marker("clicks") else PLACES[:1]
        metafunc.parametrize("place", places, indirect=True, ids=str, scope="module")


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


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """Return the folder of a database with so many tasks, which is made once."""
    folders = {}

    def folder_of(number):
        if number not in folders:
            folders[number] = tmp_path_factory.mktemp(f"filled-{number}")
            fill(f"file://{folders[number]}/data.fs", number)
        return folders[number]

    return folder_of


@pytest.fixture(scope="module")
def place(request):
    return request.param


@pytest.fixture(scope="module")
def daemon(place, filled, tmp_path_factory):
    """A daemon of the module's own, with PEOPLE."""
    folder = tmp_path_factory.mktemp("console")
    if place.tasks:
        copied(filled(place.tasks), folder)
    with running_daemon(folder) as service:
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
def sessions(daemon):
    """The cookies of those who have logged in at *daemon*, by their logins."""
    return {}


@pytest.fixture
def visit(request, browser, daemon, sessions, place, axe):
    """Open a page as a user, in a browser of their own; a fault that it reports fails the test.

    *expected* is a part of what it may report.
    """
    pages, faults, clicked = [], [], set()

    def open_page(path="/", user="ann", viewport=None, scheme=None, expected="", **options):
        context = browser.new_context(
            viewport=viewport or place.viewport,
            color_scheme=scheme or place.scheme,
            base_url=daemon.web.url,
            **options,
        )
        context.add_cookies(sessions.get(user, []))
        context.set_default_timeout(60_000)
        context.expose_binding("noteClick", lambda *told: clicked.add(label(*told)))
        context.add_init_script(RECORD)
        page = context.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: is_fault(said, expected) and faults.append(said.text))
        page.goto(path)
        if user and "/login" in page.url:
            log_in(page, user, path)
            sessions[user] = context.cookies()
        return page

    yield open_page
    wanted = request.node.get_closest_marker("clicks")
    if wanted and not request.node.stash.get(FAILED, False):
        assert set(wanted.args) - clicked == set()
        for page in pages:
            is_for_everybody(page, axe)
    for page in pages:
        page.context.close()
    assert faults == []


FAILED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def label(source, text, is_of_page):
    """Return the name of a button that was clicked: the template of its page, and its text."""
    template = template_of(urlsplit(source["page"].url).path) if is_of_page else "base.html"
    return f"{template}: {' '.join(text.split())}"


def is_for_everybody(page, axe):
    """Assert that everybody can read and use *page*, which is not wider than the screen."""
    found = axe.run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    assert page.evaluate(WIDER) == [], page.url


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
