"""A page in a browser keeps up with the database, and nothing jumps while one reads."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from daemon.console import live
from export.auth.browser_sessions import sessions
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from scheduler import Client, nowutc
from scheduler.store import transact
from scheduler.tasks import SampleOneShotTask
from tests.daemon.console.conftest import DESKTOP, PHONE


@pytest.fixture(scope="module")
def days():
    """In how many days tasks are due: each task before those of earlier tests."""
    return itertools.count(1000, -1)


@pytest.fixture
def add_task(daemon, days):
    """Enqueue a task that waits, and return its number."""

    def enqueue():
        def work(connection):
            task = SampleOneShotTask(nowutc() + timedelta(days=next(days)))
            Client(connection).enqueue(task)
            connection.savepoint()
            return task.getId()

        return transact(daemon.database, work)

    return enqueue


def test_a_commit_is_seen_without_a_reload(visit, add_task):
    page = visit("/")
    page.evaluate("window.isTheSame = true")
    page.get_by_text("live", exact=True).wait_for()
    number = add_task()
    page.locator(f'tr[data-key="{number}"]').wait_for()
    assert page.evaluate("window.isTheSame")


def test_what_is_not_changed_stays_the_same_element(visit, add_task):
    page = visit("/")
    page.evaluate("document.querySelector('.tiles').mark = document.querySelector('h1').mark = 1")
    page.locator(".choice a").first.focus()
    number = add_task()
    page.locator(f'tr[data-key="{number}"]').wait_for()
    assert page.evaluate(
        "[document.querySelector('.tiles').mark, document.querySelector('h1').mark]"
    ) == [1, 1]
    assert page.evaluate("document.activeElement.textContent") == "Hour"


def test_selected_text_is_left_alone_until_it_is_no_more(visit, add_task):
    page = visit("/")
    page.get_by_text("live", exact=True).wait_for()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
    number = add_task()
    page.wait_for_timeout(1500)
    assert page.locator(f'tr[data-key="{number}"]').count() == 0
    page.evaluate("getSelection().removeAllRanges()")
    page.locator(f'tr[data-key="{number}"]').wait_for()


@pytest.mark.clicks("base.html: live", "base.html: held")
def test_a_page_that_is_held_still_goes_on_later(visit, add_task):
    page = visit("/")
    page.get_by_text("live", exact=True).click()
    page.get_by_text("held", exact=True).wait_for()
    number = add_task()
    page.get_by_text("held", exact=True).click()
    page.locator(f'tr[data-key="{number}"]').wait_for()


def test_a_daemon_that_does_not_answer_is_not_called_healthy(visit):
    page = visit("/", expected="ERR_FAILED")
    page.get_by_text("live", exact=True).wait_for()
    page.locator("#health", has_text="healthy").wait_for()
    page.route("**/*", lambda route: route.abort())
    page.evaluate("follow()")  # as when its connection breaks
    page.locator("#health", has_text="no answer").wait_for()
    page.unroute("**/*")
    page.evaluate("follow()")
    page.locator("#health", has_text="healthy").wait_for()


def test_without_events_the_page_polls(visit, add_task, monkeypatch):
    monkeypatch.setattr(live, "VIEWERS", 0)
    page = visit("/", expected="status of 503")
    page.get_by_text("polling", exact=True).wait_for()
    number = add_task()
    page.locator(f'tr[data-key="{number}"]').wait_for()


def test_times_are_those_of_the_reader_with_utc_on_hover(visit, add_task):
    number = add_task()
    page = visit("/", timezone_id="Asia/Kolkata")
    time = page.locator(f'tr[data-key="{number}"] time')
    utc = time.get_attribute("title")
    assert utc.endswith(" UTC")
    minutes = [int(text[14:16]) for text in (utc, time.inner_text())]
    assert (minutes[1] - minutes[0]) % 60 == 30


def test_trouble_is_shown_with_a_way_to_mend_it(visit, daemon, tmp_path):
    def work(connection):
        agent = FolderAgent("shelf", "Shelf", "", 1, folder=tmp_path, format="json")
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.delivery_state.fail("the disk is full", 0)
        agent.preActivate(0)
        agent.setActive(True)

    page = visit("/")
    transact(daemon.database, work)
    trouble = page.locator("article", has_text="Agent shelf is failing: the disk is full")
    assert "See why" in trouble.inner_text()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE])
def test_the_keyboard_alone_is_enough(visit, viewport):
    page = visit("/", viewport=viewport)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.get_by_role("link", name="Audit").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit")


def test_the_page_of_a_task_says_that_it_is_gone(visit, daemon, add_task):
    number = add_task()
    page = visit(f"/tasks/{number}", expected="status of 404")
    page.get_by_text("live", exact=True).wait_for()
    transact(daemon.database, lambda found: Client(found).dequeue(Client(found).getTask(number)))
    page.get_by_role("alert").get_by_text(f"There is no task {number}").wait_for()
    assert "This is gone by now" in page.get_by_role("alert").inner_text()
    page.get_by_text("gone", exact=True).wait_for()
    page.get_by_role("heading", name=f"Task {number}").wait_for()


def test_a_session_that_has_ended_leads_to_the_log_in(visit, daemon):
    page = visit("/", expected="status of 401")
    transact(daemon.database, lambda found: sessions(found).end_all())
    page.wait_for_url("**/login")
