"""What an operator does in the console, by clicking: schedules, queues, agents, the database.

Covers `daemon.console.pages.agents`, `daemon.console.pages.conflicts`,
`daemon.console.pages.database`, `daemon.console.pages.documents`,
`daemon.console.pages.queues`, `daemon.console.pages.schedules`,
`daemon.console.pages.workers`, `daemon.maintenance.jobs`,
`livesync.feed.position_text`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ZODB.utils import u64

from daemon.console.segment import segment
from daemon.maintenance import backup
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from livesync.delivery.push_agent import push_agent
from scheduler import Client
from scheduler.store import transact
from scheduler.tasks import CronTask
from tests.daemon.console.conftest import DESKTOP, PHONE
from tests.waiting import wait_for

AGENT = "site/1 é"


class Tick(CronTask):
    def run(self):
        self.times = getattr(self, "times", 0) + 1


@pytest.fixture(scope="module")
def database(daemon, tmp_path_factory):
    """The daemon's database, with an agent that has changes before it and a refused record."""
    folder = tmp_path_factory.mktemp("target")

    def fill(connection):
        manager = SyncManager.getDBInstance(connection)
        agent = FolderAgent(AGENT, "Site <1>", "", 60, folder=str(folder))
        manager.registerNewAgent(agent)
        for second in range(3):
            manager.add(second * 1000, f"change {second}")
        agent.delivery_state.dead_letters.put("event:1", "record", "no room", 3, 1.0, None)

    transact(daemon.database, fill)
    transact(daemon.database, lambda found: SyncManager.getDBInstance(found).sequence())
    return daemon.database


@pytest.fixture
def schedule(daemon):
    """The number of a task that runs each day at three."""

    def enqueue(connection):
        task = Tick("0 3 * * *", zone="Europe/Zurich")
        Client(connection).enqueue(task)
        return task

    number = u64(transact(daemon.database, enqueue)._p_oid)
    wait_for(lambda: state_of(daemon.database, number) == "waiting")
    return number


def task_of(database, number, read):
    return transact(database, lambda found: read(Client(found).getTask(number)))


def state_of(database, number):
    if task_of(database, number, lambda task: task.isPaused()):
        return "paused"
    return {1: "spooled", 2: "waiting"}.get(task_of(database, number, lambda t: t.getStatus()), "")


def agent_of(database, read):
    return transact(database, lambda found: read(push_agent(found, AGENT)))


def click(page, name):
    """Click the button *name*, and return the sentence that the console says then."""
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(".told, .fault")
    return page.locator(".told, .fault").first.inner_text()


@pytest.mark.clicks("schedule.html: Pause", "schedule.html: Resume")
def test_a_schedule_is_paused_and_resumed(visit, database, schedule):
    page = visit(f"/schedules/{schedule}", user="otto")
    assert click(page, "Pause") == f"Schedule {schedule} is paused"
    page.get_by_role("button", name="Resume").wait_for()
    assert state_of(database, schedule) == "paused"
    assert click(page, "Resume") == f"Schedule {schedule} goes on"
    page.get_by_role("button", name="Pause", exact=True).wait_for()
    assert state_of(database, schedule) == "waiting"


@pytest.mark.clicks("schedule.html: Run now")
def test_a_schedule_is_run_now_and_goes_on_by_its_dates(visit, database, schedule):
    page = visit(f"/schedules/{schedule}", user="otto")
    assert "is run now" in click(page, "Run now")
    wait_for(lambda: task_of(database, schedule, lambda task: getattr(task, "times", 0)) == 1)
    wait_for(lambda: state_of(database, schedule) == "waiting")
    page.get_by_text("Ended last").wait_for()


@pytest.mark.clicks("schedule.html: Change")
def test_a_schedule_is_changed_and_a_wrong_text_is_told_at_its_field(visit, database, schedule):
    page = visit(f"/schedules/{schedule}", user="otto")
    page.get_by_label("Schedule", exact=True).fill("61 * * * *")
    assert "no cron expression" in click(page, "Change")
    page.get_by_label("Schedule", exact=True).fill("15 4 * * *")
    page.get_by_label("Zone").fill("Atlantis")
    assert "no time zone" in click(page, "Change")
    page.get_by_label("Zone").fill("Asia/Kolkata")
    assert "cron 15 4 * * * Asia/Kolkata" in click(page, "Change")
    read = lambda task: repr(task.getSchedule())  # noqa: E731
    wait_for(lambda: task_of(database, schedule, read) == "cron 15 4 * * * Asia/Kolkata")
    page.get_by_text("04:15:00 IST").first.wait_for()


@pytest.mark.clicks("schedule.html: Remove")
def test_a_schedule_is_removed_when_the_operator_agrees(visit, database, schedule):
    # The page may ask for itself again before it is left.
    page = visit(f"/schedules/{schedule}", user="otto", expected="status of 404")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Remove").click()
    assert state_of(database, schedule) == "waiting"
    page.once("dialog", lambda dialog: dialog.accept())
    assert click(page, "Remove") == f"Schedule {schedule} is removed"
    page.locator(f'tr[data-key="{schedule}"]').wait_for(state="detached")


@pytest.mark.clicks("queue.html: Set limits", "queue.html: Pause queue", "queue.html: Resume queue")
def test_a_queue_gets_limits_is_paused_and_resumed(visit, database):
    transact(database, lambda found: Client(found).limitQueue("mail/out", 2))
    wait_for(lambda: transact(database, lambda found: Client(found).getQueues()))
    page = visit("/queues", user="otto")
    page.get_by_role("link", name="mail/out").click()
    page.get_by_label("Rate").fill("ten")
    assert "whole number" in click(page, "Set limits")
    page.get_by_label("Rate").fill("10")
    page.get_by_label("Period").fill("60")
    assert click(page, "Set limits") == "Queue mail/out: 2 at once and 10 in 60 s"
    click(page, "Pause queue")
    page.get_by_role("button", name="Resume queue").wait_for()
    assert transact(database, lambda found: Client(found).isPaused("mail/out"))
    click(page, "Resume queue")
    page.get_by_role("button", name="Pause queue").wait_for()


@pytest.mark.clicks("queues.html: Pause all", "queues.html: Resume all")
def test_all_queues_are_paused_and_resumed_at_once(visit, database):
    page = visit("/queues", user="otto")
    click(page, "Pause all queues")
    page.get_by_role("button", name="Resume all queues").wait_for()
    assert transact(database, lambda found: Client(found).isPaused())
    click(page, "Resume all queues")
    page.get_by_role("button", name="Pause all queues").wait_for()


@pytest.mark.clicks(
    "agent.html: Activate",
    "agent.html: Pause",
    "agent.html: Resume",
    "agent.html: Try again now",
    "agent.html: Deactivate",
)
def test_an_agent_is_activated_paused_resumed_and_deactivated(visit, database):
    page = visit("/agents", user="otto")
    page.get_by_role("region", name="Agents").get_by_role("link", name=AGENT).click()
    for button in ("Activate", "Pause", "Resume", "Try again now", "Deactivate"):
        assert AGENT in click(page, button)
        page.wait_for_load_state()
    assert not agent_of(database, lambda agent: agent.isActive())


@pytest.mark.clicks("agent.html: Rewind")
def test_an_agent_is_rewound_to_a_position_that_there_is(visit, database):
    page = visit(f"/agents/{segment(AGENT)}", user="otto")
    page.get_by_label("Move the pointer to").fill("77")
    assert "there is no position '77'" in click(page, "Rewind")
    position = transact(database, newest_of)
    page.get_by_label("Move the pointer to").fill(str(position))
    assert f"stands at {position}" in click(page, "Rewind")
    assert agent_of(database, lambda agent: agent.getLastTS()) == position
    page.get_by_label("Move the pointer to").fill("start")
    assert "stands at start" in click(page, "Rewind")


def newest_of(connection):
    return SyncManager.getDBInstance(connection).getTrack().mostRecentTS()


@pytest.mark.clicks("agent.html: Send selected again", "agent.html: Drop selected")
def test_dead_letters_are_sent_again_and_dropped(visit, database):
    page = visit(f"/agents/{segment(AGENT)}", user="otto")
    assert click(page, "Send selected again") == "Nothing is selected"
    page.get_by_label("Select event:1").check()
    assert click(page, "Send selected again") == "1 record is sent again with the next run"
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Select event:1").check()
    assert click(page, "Drop selected") == "1 record is dropped"
    assert agent_of(database, lambda agent: len(agent.delivery_state.dead_letters)) == 0


@pytest.mark.clicks("agent.html: Verify", "agent.html: Full export")
def test_a_full_export_and_a_verification_are_tasks(visit, database):
    page = visit(f"/agents/{segment(AGENT)}", user="ann")
    assert "is verified by task" in click(page, "Verify")
    page.once("dialog", lambda dialog: dialog.accept())
    assert "by task" in click(page, "Full export")
    wait_for(lambda: {"verify", "export_all"} <= set(transact(database, ended_calls)))


def test_a_second_full_export_is_refused_while_a_task_is_at_work(visit, database):
    page = visit(f"/agents/{segment(AGENT)}", user="ann")
    transact(database, lambda connection: Client(connection).pause())
    try:
        page.once("dialog", lambda dialog: dialog.accept())
        click(page, "Full export")
        page.get_by_text("is at work on it: waiting").wait_for()
        page.get_by_role("button", name="Verify").click()
        page.get_by_role("alert").get_by_text("is at work on it: nothing was done").wait_for()
    finally:
        transact(database, lambda connection: Client(connection).resume())
    page.goto(f"/agents/{segment(AGENT)}")
    page.get_by_text("is at work on it").wait_for(state="detached")


def ended_calls(connection):
    from daemon.views import task_rows
    from scheduler import SchedulerModule

    module = SchedulerModule.getDBInstance(connection)
    ended = [*task_rows.rows(module, "finished"), *task_rows.rows(module, "failed")]
    return [row.kind.rpartition(".")[2] for row in ended]


def test_a_viewer_is_offered_no_action(visit, schedule):
    page = visit(f"/schedules/{schedule}", user="vera")
    assert page.locator("main button").count() == 0
    page.goto(f"/agents/{segment(AGENT)}")
    assert page.locator("main button").count() == 0


@pytest.mark.clicks("database.html: Pack now")
def test_the_database_is_packed_by_a_task(visit, database):
    page = visit("/database", user="ann")
    page.get_by_label("Keep the history of days").fill("never")
    assert "whole number" in click(page, "Pack now")
    page.get_by_label("Keep the history of days").fill("1")
    assert "before 1 day is dropped by task" in click(page, "Pack now")
    wait_for(lambda: "pack_database" in transact(database, ended_calls))


@pytest.mark.clicks("database.html: Back up now")
def test_the_database_is_backed_up_by_a_task_once_a_folder_is_known(visit, database, tmp_path):
    page = visit("/database", user="ann")
    page.get_by_text("None was made yet").wait_for()
    file = Path(database.storage.getName())
    backup.back_up(file, tmp_path / "copies")
    backup.note(database, file, tmp_path / "copies")
    said = click(page, "Back up now")
    assert f"is backed up to {tmp_path / 'copies'} by task" in said
    page.locator(".told a").click()
    page.locator("h1 .state", has_text="finished").wait_for()
    page.get_by_text("back_up_database").first.wait_for()


@pytest.mark.clicks("schedules.html: Pause", "schedules.html: Resume")
def test_a_schedule_is_paused_and_resumed_in_the_list(visit, database, schedule):
    page = visit("/schedules", user="otto")
    row = page.locator(f'tr[data-key="{schedule}"]')
    row.get_by_role("button", name="Pause").click()
    page.get_by_text(f"Schedule {schedule} is paused").wait_for()
    row.get_by_role("button", name="Resume").click()
    page.get_by_text(f"Schedule {schedule} goes on").wait_for()
    row.get_by_role("button", name="Pause").wait_for()
    assert state_of(database, schedule) == "waiting"


@pytest.mark.clicks("workers.html: Replace workers")
def test_workers_are_replaced_when_the_admin_agrees(visit):
    page = visit("/workers", user="ann")
    page.once("dialog", lambda dialog: dialog.accept())
    assert "are replaced one by one" in click(page, "Replace workers")


@pytest.mark.clicks("documents.html: Search")
def test_documents_are_rendered_and_searched(visit):
    page = visit("/documents", user="vera")
    page.get_by_label("Search").fill("idempotency")
    page.get_by_role("button", name="Search").click()
    page.locator("main ul a").first.click()
    page.locator("article h1").wait_for()


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_each_page_of_one_thing_can_be_read_by_everybody(
    visit, axe, schedule, database, viewport, scheme
):
    page = visit("/", viewport=viewport, scheme=scheme)
    for path in (
        f"/schedules/{schedule}",
        f"/agents/{segment(AGENT)}",
        "/documents/limits",
        "/agents",
    ):
        page.goto(path)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
