"""The console as an application, without a browser.

Covers `daemon.console.page`, `daemon.console.pages.overview`, `daemon.console.panel`,
`daemon.console.visit`.
"""

from __future__ import annotations

from werkzeug.test import Client

from daemon.console.application import Console
from daemon.console.panel import Panel
from daemon.service import plant
from livesync import PushSyncAgent, SyncManager
from scheduler import TASK_STATUS_FAILED, SchedulerModule, nowutc
from scheduler.store import transact
from scheduler.tasks import SampleOneShotTask
from scheduler.tasks.attempt import Attempt
from tests.console import HERE, page_of


def test_nothing_that_people_wrote_is_markup_on_the_page(database):
    transact(database, plant)

    def register(connection):
        agent = PushSyncAgent("<b>id</b>", "<script>name</script>", "", 1)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.delivery_state.fail("<img src=x>", 0)

    transact(database, register)
    page = page_of(database, panels=[Panel("<i>", ("<u>",), lambda: [("<s>",)])])
    for raw in ("<b>id", "<script>", "<img src=x", "<i>", "<u>", "<s>"):
        assert raw not in page
    assert "&lt;script&gt;name&lt;/script&gt;" in page


def test_a_failed_task_is_on_the_page_with_its_reason(database):
    def fail(connection):
        task = SampleOneShotTask(nowutc())
        connection.add(task)
        task._record(Attempt(1, nowutc(), nowutc(), TASK_STATUS_FAILED, "<b>no</b> luck"))
        task._status = TASK_STATUS_FAILED
        module = SchedulerModule.getDBInstance(connection)
        module.shelve(task, task.getEndedOn(), TASK_STATUS_FAILED)
        return task.getId()

    transact(database, plant)
    number = transact(database, fail)
    page = page_of(database)
    task = f'<a href="/tasks/{number}">{number}</a>'
    assert (
        f'<td>{task}</td><td class="name brief">scheduler.tasks.samples.SampleOneShotTask<' in page
    )
    assert "&lt;b&gt;no&lt;/b&gt; luck" in page


def test_the_page_says_that_the_scheduler_is_paused(database):
    def pause(connection):
        SchedulerModule.getDBInstance(connection).is_paused = True

    transact(database, plant)
    transact(database, pause)
    assert "paused" in page_of(database)


def test_the_page_changes_nothing_in_the_database(database):
    transact(database, plant)
    before = database.lastTransaction()
    page_of(database)
    assert database.lastTransaction() == before


def test_a_page_that_keeps_up_leaves_the_news_to_the_next_page(database):
    transact(database, plant)
    console = Console(database)
    client = Client(console)
    client.set_cookie("relay_told", "Task 7 is moved")
    options = {"environ_overrides": HERE}
    assert "Task 7 is moved" not in client.get("/", headers={"X-Live": "1"}, **options).text
    assert "Task 7 is moved" in client.get("/", **options).text
    assert "Task 7 is moved" not in client.get("/", **options).text
    console.close()
