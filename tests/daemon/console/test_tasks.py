"""The list of tasks in a browser: it is searched, and many tasks are acted on at once.

Covers `daemon.console.pages.tasks`, `daemon.console.pages.bulk`, `daemon.console.task_query`.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from werkzeug.datastructures import MultiDict

from daemon.console.pages import bulk
from daemon.console.task_query import TaskQuery
from daemon.views.task_rows import one_row
from scheduler import Client, TaskFilter, nowutc
from scheduler.shelves import search
from scheduler.store import transact, using
from tests.console import page_of
from tests.daemon.console.conftest import DESKTOP, PHONE
from tests.daemon.console.filled import counts
from tests.scheduler import sample_declared as declared
from tests.scheduler.sample_tasks import Noop
from tests.waiting import wait_for

COUNT = 60
HOUR = timedelta(hours=1)
ODD = "\udc80 half \x00 \u202e<script>alert(1)</script>" + " long" * 100


def _enqueue(connection):
    soon = nowutc() + timedelta(hours=1)
    client = Client(connection)
    with using(connection):
        for number in range(COUNT):
            client.enqueue(Noop(soon + timedelta(seconds=number)))
        for number in range(5):
            declared.bad.enqueue(number)
            declared.send.enqueueAt(soon, f"{number}@example.org")
        declared.bad.enqueue(ODD)
        declared.log_in.enqueue("ann", "hush")


@pytest.fixture(scope="module")
def busy(daemon):
    """The daemon with waiting and failed tasks."""
    before = counts(daemon.database)["failed"]
    transact(daemon.database, _enqueue)
    wait_for(lambda: counts(daemon.database)["failed"] == before + 7, what="failures")
    return daemon


def rows(page):
    return page.locator("#rows tr").count()


def test_a_number_that_no_task_can_have_finds_none(visit):
    page = visit(f"/tasks?q={'9' * 40}")
    page.get_by_role("heading", name="Tasks").wait_for()
    assert rows(page) == 1
    assert "No task" in page.locator("#rows").inner_text()


def test_without_tasks_it_says_so(visit, daemon):
    page = visit("/tasks")
    page.get_by_text("There are no tasks.").wait_for()
    page.get_by_role("link", name="Failed").click()
    page.get_by_text("No task is found.").wait_for()


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")])
@pytest.mark.parametrize("path", ["/tasks?q=bad&since=1d", "/tasks/bulk?do=move&scope=all&q=Noop"])
def test_everybody_can_read_it(visit, busy, path, viewport, scheme):
    page = visit(path, viewport=viewport, scheme=scheme)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.clicks("tasks.html: Next page", "tasks.html: First page")
def test_all_tasks_are_on_its_pages(visit, busy):
    page = visit("/tasks?state=waiting&q=sample")
    assert rows(page) == 50
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="First page").wait_for()
    assert rows(page) == COUNT + 5 - 50
    page.get_by_role("link", name="First page").click()
    page.get_by_role("link", name="Next page").wait_for()


@pytest.mark.clicks("tasks.html: Search", "tasks.html: Clear")
def test_a_search_is_in_the_address(visit, busy):
    page = visit("/tasks")
    page.get_by_label("Name or number").fill("declared.BAD")
    page.get_by_label("Text of the error").fill("luck with int")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/tasks?q=declared.BAD&text=luck+with+int**")
    page.locator("#rows tr").nth(4).wait_for()
    page.get_by_role("link", name="Failed").click()
    page.wait_for_url("**state=failed**")
    page.locator("#rows tr").nth(4).wait_for()
    assert rows(page) == 5
    page.get_by_text("More").click()
    page.get_by_label("From").fill("yesterday")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("'yesterday' is no date").wait_for()
    page.get_by_role("link", name="Clear").click()
    page.wait_for_url("**/tasks")


def test_a_search_that_looks_at_many_tasks_goes_on_by_itself(visit, busy, monkeypatch):
    monkeypatch.setattr(search.search, "__defaults__", (None, 50, 0.0))
    page = visit("/tasks?text=luck+with+int&state=failed")
    page.get_by_text("7 tasks looked at; these are all.").wait_for()
    assert rows(page) == 5
    transact(busy.database, lambda found: Client(found).enqueue(Noop(nowutc() + HOUR)))
    page.get_by_role("button", name="Show what has changed").click()
    page.get_by_text("7 tasks looked at; these are all.").wait_for()


@pytest.mark.clicks("tasks.html: Retry …", "bulk.html: Back", "bulk.html: Retry them")
def test_tasks_that_are_selected_are_retried_after_a_count(visit, busy):
    page = visit("/tasks?state=failed&q=bad")
    page.get_by_role("button", name="Retry …").click()
    page.get_by_text("No task is selected").wait_for()
    page.get_by_role("link", name="Back").click()
    boxes = page.locator("#rows input[name=id]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_text("2 selected").wait_for()
    page.get_by_role("button", name="Retry …").click()
    page.get_by_text("2 tasks would be tried again").wait_for()
    page.get_by_role("button", name="Retry them").click()
    page.get_by_text("2 tasks to be tried again:").wait_for()


@pytest.mark.clicks("tasks.html: Prioritize …", "bulk.html: Prioritize it")
def test_one_task_is_selected_and_prioritized(visit, busy):
    page = visit("/tasks?state=waiting&q=Noop")
    page.locator("#rows input[name=id]").first.check()
    page.get_by_role("button", name="Prioritize …").click()
    page.get_by_text("1 task would be given this priority").wait_for()
    page.get_by_label("Priority").fill("3")
    page.get_by_role("button", name="Prioritize it").click()
    page.get_by_text("1 task to be given this priority:").wait_for()


def test_a_count_that_takes_long_goes_on_by_itself(visit, busy, monkeypatch):
    monkeypatch.setattr(bulk, "COUNT_SECONDS", 0.0)
    page = visit("/tasks/bulk?do=retry&scope=all&text=luck with int")
    page.get_by_role("button", name="Retry them").wait_for()
    page.get_by_text("5 tasks would be tried again.", exact=True).wait_for()


@pytest.mark.clicks("tasks.html: Go on")
def test_a_search_goes_on_by_hand_without_scripts(visit, busy, monkeypatch):
    monkeypatch.setattr(search.search, "__defaults__", (None, 50, 0.0))
    page = visit("/", expected="ERR_FAILED")
    page.route("**/tasks.js?*", lambda route: route.abort())
    page.goto("/tasks?text=nothing")
    page.get_by_text("1 task looked at.").wait_for()
    assert page.get_by_role("button", name="Delete …").count() == 1
    page.get_by_role("link", name="Go on").click()
    page.get_by_text("2 tasks looked at.").wait_for()


@pytest.mark.clicks("tasks.html: Delete …", "bulk.html: Leave them")
def test_all_tasks_on_a_page_are_selected_at_once(visit, busy):
    page = visit("/tasks?state=failed&q=bad")
    page.get_by_label("Select all tasks on this page").check()
    page.get_by_text("6 selected").wait_for()
    page.get_by_role("button", name="Cancel …").wait_for(state="detached")
    page.get_by_role("button", name="Delete …").click()
    page.get_by_text("6 tasks would be deleted").wait_for()
    page.get_by_role("link", name="Leave them").click()
    page.wait_for_url("**/tasks?q=bad&state=failed")


@pytest.mark.clicks(
    "tasks.html: Move …",
    "bulk.html: Move them",
    "tasks.html: Prioritize …",
    "bulk.html: Prioritize them",
    "tasks.html: Cancel …",
    "bulk.html: Cancel them",
    "tasks.html: Delete …",
    "bulk.html: Delete them",
)
def test_tasks_of_a_search_are_moved_prioritized_cancelled_and_deleted(visit, busy):
    page = visit("/tasks?q=send")
    order(page, "Move …", "5 tasks would be moved")
    page.get_by_label("New date").fill("2031-05-06T07:08:09")
    page.get_by_role("button", name="Move them").click()
    page.get_by_text("Tasks are being moved (name send)").wait_for()
    wait_for(lambda: {row.date.year for row in sent(busy)} == {2031}, what="the new date")
    page.wait_for_load_state()
    page.goto(page.url)
    page.get_by_text("2031-05-06").nth(4).wait_for()

    order(page, "Prioritize …", "5 tasks would be given this priority")
    page.get_by_label("Priority").fill("9")
    page.get_by_role("button", name="Prioritize them").click()
    page.get_by_text("given this priority (name send)").wait_for()

    order(page, "Cancel …", "5 tasks would be cancelled")
    page.get_by_role("button", name="Cancel them").click()
    wait_for(lambda: {row.state for row in sent(busy)} == {"aborted"}, what="the end")
    page.wait_for_load_state()
    page.goto(page.url)
    page.locator("#rows .state", has_text="aborted").nth(4).wait_for()

    order(page, "Delete …", "5 tasks would be deleted")
    page.get_by_role("button", name="Delete them").click()
    page.get_by_text("deleted (name send)").first.wait_for()
    wait_for(lambda: not sent(busy), what="the deletion")
    page.wait_for_load_state()
    page.goto(page.url)
    page.get_by_text("No task is found.").wait_for()


def sent(busy):
    """Return the rows of the calls of `send`."""

    def rows_of(connection):
        chosen = Client(connection).select(TaskFilter(name="*send*"))
        return [one_row(connection, task.getId()) for task in chosen]

    return transact(busy.database, rows_of)


def order(page, button, count):
    page.get_by_label("Which tasks").select_option("all")
    page.get_by_role("button", name=button).click()
    page.get_by_text(count).wait_for()


def test_an_order_with_a_bad_value_is_not_given(visit, busy):
    page = visit("/tasks/bulk?do=prioritize&scope=all&q=Noop")
    page.evaluate("document.querySelector('.order').noValidate = true")
    page.get_by_label("Priority").evaluate("(field) => field.type = 'text'")
    page.get_by_label("Priority").fill("very")
    page.get_by_role("button", name="Prioritize them").click()
    page.get_by_text("Give a whole number").wait_for()


@pytest.mark.clicks("tasks.html: Show what has changed")
def test_rows_stay_where_they_are_while_somebody_reads_them(visit, busy):
    page = visit("/tasks?state=waiting&q=Noop")
    page.locator("#rows tr").nth(3).hover()
    transact(busy.database, lambda found: Client(found).enqueue(Noop(nowutc() + timedelta(60))))
    first = page.locator("#rows tr").first.get_attribute("data-key")
    transact(
        busy.database,
        lambda found: Client(found).moveTask(
            Client(found).getTask(int(first)), nowutc() + timedelta(days=3)
        ),
    )
    page.get_by_role("button", name="Show what has changed").wait_for()
    assert page.locator("#rows tr").first.get_attribute("data-key") == first
    page.get_by_role("button", name="Show what has changed").click()
    page.locator(f"#rows tr:first-child:not([data-key='{first}'])").wait_for()


def test_the_choice_of_tasks_stays_while_the_list_keeps_up(visit, busy):
    page = visit("/tasks?state=waiting&q=Noop")
    page.get_by_text("live", exact=True).wait_for()
    page.get_by_label("Which tasks").select_option("all")
    page.get_by_role("heading", name="Tasks").hover()
    first = page.locator("#rows tr").first.get_attribute("data-key")
    soon = nowutc() + timedelta(minutes=1)
    transact(busy.database, lambda found: Client(found).enqueue(Noop(soon)))
    page.locator(f"#rows tr:first-child:not([data-key='{first}'])").wait_for()
    assert page.get_by_label("Which tasks").input_value() == "all"


def test_a_viewer_looks_and_does_nothing(visit, busy):
    page = visit("/tasks", user="vera")
    page.get_by_role("link", name="Next page").wait_for()
    assert page.get_by_role("button", name="Delete …").count() == 0
    assert page.get_by_role("checkbox").count() == 0


def test_odd_characters_are_shown_as_what_they_are(visit, busy):
    page = visit("/tasks?q=bad&state=failed")
    page.get_by_text("\\udc80 half").first.wait_for()
    assert "\u202e" not in page.content()


def test_an_order_that_is_under_way_is_shown_with_its_progress(database):
    def order(connection):
        Client(connection).cancelAll(TaskFilter(name="Noop"))

    transact(database, order)
    text = page_of(database, "/tasks")
    assert re.search(r"Tasks are being cancelled \(name Noop\), since .*: 0 so far", text)


@pytest.mark.parametrize(
    ("given", "faulty"),
    [
        ({}, set()),
        ({"state": "faild"}, {"state"}),
        ({"since": "2h", "until": "2026-11-30T14:00+01:00"}, set()),
        ({"since": "h", "until": "99999999999d"}, {"since", "until"}),
        ({"q": "\udc80", "text": "\x00"}, set()),
    ],
)
def test_what_is_wrong_with_a_query_is_said_at_its_field(given, faulty):
    query = TaskQuery.of(MultiDict(given))
    assert set(query.faults) == faulty
    assert query.address().startswith("/tasks")


def test_a_number_means_one_task():
    assert TaskQuery.of(MultiDict({"q": "4711"})).number == 4711
