"""The page of one task in a browser: all that is known, and each of its buttons.

Covers `daemon.console.pages.task`, `daemon.console.dry_run_process`,
`daemon.console.flow_drawing`, `daemon.views.task_card`, `daemon.views.task_changes`,
`daemon.views.undoing`, `daemon.logs.running_log`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from markupsafe import escape

from daemon.console.dry_run_process import run_dry
from daemon.logs.running_log import RUNNING_LOG
from daemon.views.task_rows import one_row
from scheduler import Client, SchedulerModule, nowutc
from scheduler.states import TASK_STATUS_FINISHED, TASK_STATUS_SPOOLED
from scheduler.store import open_database, transact, using
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.handle import TaskHandle
from tests.console import page_of
from tests.daemon import sample_tasks
from tests.daemon.console.conftest import is_for_everybody
from tests.scheduler import sample_declared as declared
from tests.scheduler.sample_tasks import Noop
from tests.waiting import wait_for

HOUR = timedelta(hours=1)


class Fail(Noop):
    maxTries = 1

    def run(self):
        raise ValueError("no luck")


@pytest.fixture
def enqueue(daemon):
    """Enqueue a task that *make* makes; return its number."""

    def one(make):
        def work(connection):
            with using(connection):
                task = make()
                if task.getId() is None:
                    Client(connection).enqueue(task)
                return task.getId()

        return transact(daemon.database, work)

    return one


def is_now(page, word):
    page.locator("h1 .state", has_text=word).wait_for()


def press(page, button):
    page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.clicks("task.html: Retry")
def test_a_failure_is_explained_mended_and_retried(visit, enqueue, axe, tmp_path):
    number = enqueue(lambda: sample_tasks.Bad(nowutc(), str(tmp_path / "remedy")))
    page = visit(f"/tasks/{number}")
    is_now(page, "failed")
    why = page.get_by_role("region", name="Why it has not finished")
    why.get_by_text("ValueError: no luck").first.wait_for()
    assert "Traceback (most recent call last)" in why.get_by_label("Traceback").text_content()
    is_for_everybody(page, axe)
    (tmp_path / "remedy").touch()
    press(page, "Retry")
    page.get_by_text(f"Task {number} is started again").wait_for()
    is_now(page, "finished")
    first = page.locator(".attempt").last
    first.locator("summary").click()
    first.get_by_role("link", name="Replay").click()
    page.get_by_text("that failed with ValueError: no luck").wait_for()


@pytest.mark.clicks("task.html: Cancel")
def test_a_task_that_runs_is_followed_and_cancelled(visit, enqueue, tmp_path):
    number = enqueue(lambda: sample_tasks.Long(nowutc(), str(tmp_path / "go")))
    page = visit(f"/tasks/{number}")
    is_now(page, "running")
    page.get_by_text("50 %, half of it").wait_for()
    assert page.get_by_label("Progress").get_attribute("value") == "0.5"
    logging.getLogger("task").warning("so far so good", extra={"task_id": number})
    page.get_by_text("WARNING so far so good").wait_for()
    press(page, "Cancel")
    is_now(page, "aborted")
    (tmp_path / "go").touch()


def test_a_step_before_its_turn_has_its_page(visit, enqueue):
    def make():
        behind = sample_tasks.Good(nowutc())
        Client().enqueueChain(sample_tasks.Good(nowutc() + HOUR), behind)
        return behind

    page = visit(f"/tasks/{enqueue(make)}")
    is_now(page, "pending")
    assert page.get_by_role("button", name="Cancel", exact=True).count() == 0


@pytest.mark.clicks(
    "task.html: Move …",
    "task.html: Move",
    "task.html: Priority …",
    "task.html: Prioritize",
    "task.html: Pause",
    "task.html: Resume",
    "task.html: Run now",
    "task.html: Run again",
    "task.html: Delete …",
    "task.html: Delete",
)
def test_a_waiting_task_is_moved_prioritized_paused_resumed_and_run(visit, enqueue):
    number = enqueue(lambda: sample_tasks.Good(nowutc() + HOUR))
    page = visit(f"/tasks/{number}", expected="status of 404")  # once it is deleted
    is_now(page, "waiting")
    page.get_by_text("Move …").click()
    page.get_by_label("New date").fill("2031-05-06T07:08:09")
    press(page, "Move")
    page.get_by_text(f"Task {number} is moved to 2031-05-06").wait_for()
    page.locator("dd time[title^='2031-05-06']").wait_for()
    page.get_by_text("Priority …").click()
    page.get_by_label("Priority", exact=True).fill("7")
    press(page, "Prioritize")
    page.locator("dt:has-text('Priority') + dd", has_text="7").wait_for()
    press(page, "Pause")
    is_now(page, "paused")
    press(page, "Resume")
    is_now(page, "waiting")
    press(page, "Run now")
    is_now(page, "finished")
    page.locator("dt:has-text('Result') + dd", has_text="{'answer': 42}").wait_for()
    page.get_by_label("Log of attempt 1").get_by_text("all is well").wait_for()
    press(page, "Run again")
    page.get_by_text("try 1, ran").nth(1).wait_for()
    page.get_by_text("Delete …").click()
    press(page, "Delete")
    page.get_by_text(f"Task {number} is deleted").wait_for()
    assert page.url.endswith("/tasks")


@pytest.mark.clicks(
    "task.html: Dry run", "dry_run.html: Back to the task", "task.html: Undo …", "undo.html: Undo"
)
def test_what_it_changed_is_shown_tried_replayed_and_undone(visit, enqueue):
    number = enqueue(lambda: declared.bare.enqueue(17))
    page = visit(f"/tasks/{number}")
    is_now(page, "finished")
    changed = page.locator(".differences tr", has_text="data['bare']")
    changed.locator(".after", has_text="(17,)").wait_for()

    page.get_by_role("link", name="Dry run").click()
    page.get_by_text("It succeeds.").wait_for()
    page.locator(".differences .after", has_text="(17, 17)").wait_for()
    page.get_by_role("link", name="Back to the task").click()

    page.get_by_role("link", name="Replay").click()
    page.get_by_text("It does the same as the attempt did.").wait_for()
    page.get_by_role("link", name="Back to the task").click()

    page.get_by_role("link", name="Undo …").click()
    page.get_by_text("1 object", exact=True).wait_for()
    press(page, "Undo")
    page.get_by_text(f"Task {number} is undone: 1 restored").wait_for()
    page.get_by_text("was taken back").wait_for()


@pytest.mark.clicks("undo.html: Back to the task")
def test_what_is_in_the_way_of_an_undo_is_named(visit, enqueue, daemon):
    number = enqueue(lambda: declared.bare.enqueue(18))
    page = visit(f"/tasks/{number}")
    is_now(page, "finished")
    other = enqueue(lambda: declared.bare.enqueue(19))
    wait_for(lambda: _state(daemon, other) == "finished", what="the other task")
    page.get_by_role("link", name="Undo …").click()
    page.get_by_text("This is in the way").wait_for()
    page.get_by_role("link", name=f"task {other}").click()
    page.get_by_role("heading", name=f"Task {other}").wait_for()
    page.go_back()
    page.get_by_role("link", name="Back to the task").click()
    page.get_by_role("heading", name=f"Task {number}").wait_for()


def _state(daemon, number):

    return transact(daemon.database, lambda found: one_row(found, number).state)


def test_a_flow_is_drawn_with_the_states_of_its_steps(visit, daemon):
    def enqueue(connection):
        now = nowutc()
        steps = [Noop(now), TaskGroup([Noop(now), Fail(now), Noop(now)]), Noop(now)]
        Client(connection).enqueueChain(*steps)
        return steps[0].getId()

    number = transact(daemon.database, enqueue)
    page = visit(f"/tasks/{number}")
    flow = page.get_by_role("region", name="Flow")
    flow.locator("a .bad", has_text="failed").wait_for()
    assert flow.get_by_role("link").count() == 5
    assert flow.locator(".edge").count() >= 6
    flow.get_by_role("link").filter(has_text="failed").click()
    is_now(page, "failed")
    assert flow.locator(".here.bad").count() == 1


def test_an_operator_alone_acts(visit, enqueue):
    number = enqueue(lambda: Noop(nowutc() + HOUR))
    page = visit(f"/tasks/{number}", user="vera", expected="status of 40")
    is_now(page, "waiting")
    assert page.get_by_role("button", name="Run now").count() == 0
    page.goto(f"/tasks/{number}/dry-run")
    page.get_by_text("this needs operator").wait_for()
    page.goto("/tasks/999999999")
    page.get_by_text("There is no task 999999999").wait_for()


ODD = {
    "lone surrogate": "\udc80",
    "NUL": "a\x00b",
    "bidi": "\u202eabc",
    "markup": "<script>alert(1)</script>",
    "huge": "x" * 1_000_000,
    "bytes": b"\xff" * 1000,
    "deep": [[[[[[[[]]]]]]]],
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_no_value_breaks_a_page(database, value):
    def enqueue(connection):
        with using(connection):
            declared.bad.enqueue(value)
            task = sample_tasks.Bad(nowutc(), value)
            task.password = "hush"
            Client(connection).enqueue(task)
            return task.getId()

    number = transact(database, enqueue)
    page = page_of(database, f"/tasks/{number}")
    listed = page_of(database, "/tasks")
    for text in (page, listed):
        text.encode()
        assert len(text) < 50_000
        assert "\x00" not in text
        assert "\u202e" not in text
        assert "<script>alert" not in text
        assert "hush" not in text


def test_what_an_attempt_sent_to_the_outside_stands_on_the_page(database):
    sent = "POST https://shop.example.org/<b> with key 7-1: 204"

    def ended(connection):
        task = Noop(nowutc())
        connection.add(task)
        TaskHandle(task).set_status(TASK_STATUS_SPOOLED)
        attempt = Attempt(1, nowutc(), nowutc(), TASK_STATUS_FINISHED, sent=(sent,))
        TaskHandle(task).finish(attempt, None)
        SchedulerModule.getDBInstance(connection).shelve(task, attempt.ended, attempt.state)
        return task.getId()

    number = transact(database, ended)
    assert escape(sent) in page_of(database, f"/tasks/{number}")


@pytest.mark.clicks("task.html: Delete …", "task.html: Delete")
def test_a_task_in_quarantine_has_its_reason_and_a_way_out(visit, daemon):
    def set_aside(connection):
        task = Noop(nowutc())
        connection.add(task)
        SchedulerModule.getDBInstance(connection).set_aside(task, "its class is gone")
        return task.getId()

    number = transact(daemon.database, set_aside)
    page = visit("/tasks?state=quarantined", expected="status of 404")
    page.get_by_text("its class is gone").wait_for()
    page.get_by_role("link", name="Noop").click()
    is_now(page, "quarantined")
    page.get_by_text("Delete …").click()
    press(page, "Delete")
    page.get_by_text(f"Task {number} is deleted").wait_for()
    wait_for(
        lambda: transact(daemon.database, lambda found: one_row(found, number)) is None,
        what="the deletion",
    )


def test_a_private_database_has_no_dry_runs():
    database = open_database("memory://")
    assert "second process" in run_dry(database, 1)["fault"]
    database.close()


def test_a_dry_run_that_fails_says_why(database):
    number = transact(database, lambda found: _enqueued(found, sample_tasks.Bad(nowutc(), "no")))
    assert run_dry(database, number)["error"] == "ValueError: no luck"
    assert "no attempt 3" in run_dry(database, number, 3)["fault"]


def _enqueued(connection, task):
    Client(connection).enqueue(task)
    return task.getId()


def test_lines_of_tasks_alone_are_kept_and_without_passwords():
    log = logging.getLogger("task.sample")
    log.setLevel(logging.INFO)
    with RUNNING_LOG:
        log.info("nobody's")
        for number in range(300):
            log.info("password=secret %d", number, extra={"task_id": 7})
    lines = RUNNING_LOG.of(7, 0)
    assert len(lines) == 100
    assert lines[-1].endswith("INFO password=*** 299")
    assert RUNNING_LOG.of(7, nowutc().timestamp() + 1) == RUNNING_LOG.of(8, 0) == []
