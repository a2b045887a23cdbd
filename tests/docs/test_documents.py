"""What the documents show, run as a reader would."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from werkzeug.test import Client

from export.app import make_app
from scheduler import Client as Queue
from scheduler import Scheduler, SchedulerModule
from scheduler.store import connect
from scheduler.testing import Relay
from tests.waiting import DEADLINE, wait_for

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def blocks(document, language):
    text = (DOCS / document).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


class Reader:
    """Somebody who does in a folder what a document says."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "SCHEDULER_DATABASE"},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
        }

    def save(self, document):
        """Save the code that begins with the name of its file."""
        for code in blocks(document, "python"):
            name = re.match(r"# (\w+\.py)\n", code)
            (self.folder / name.group(1)).write_text(code)

    def run(self, commands):
        return subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


@pytest.fixture
def reader(tmp_path):
    yield Reader(tmp_path)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()) == tmp_path:
                process.send_signal(signal.SIGKILL)
        except (psutil.Error, OSError):
            continue


def test_the_tutorial_works_as_written(reader):
    reader.save("tutorial.md")
    done = reader.run("\n".join(blocks("tutorial.md", "sh")))
    assert done.returncode == 0, done.stderr
    for shown in blocks("tutorial.md", "text"):
        assert shown in done.stdout
    assert done.stdout.endswith("DONE!\n")


def test_runs_are_kept_as_the_document_shows(reader):
    reader.save("runs.md")
    done = reader.run("python look.py && python -c 'import refresh, pages'")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("runs.md", "text")[0]


def test_an_application_is_followed_as_the_document_shows(reader, monkeypatch):
    reader.save("capture.md")
    done = reader.run("\n".join(blocks("capture.md", "sh")))
    assert done.returncode == 0, done.stderr
    for shown in blocks("capture.md", "text"):
        assert shown.strip() in done.stdout
    monkeypatch.syspath_prepend(str(reader.folder))
    with closing(make_app(f"file://{reader.folder}/var/relay.fs")) as app:
        answer = Client(app).get("/export/order/7.json")
        assert answer.json["results"][0]["total"] == 12.5


def test_functions_are_called_as_the_document_shows(reader):
    reader.save("functions.md")
    done = reader.run("python sell.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("functions.md", "text")[0]


def test_a_result_is_waited_for_as_the_document_shows(reader):
    reader.save("waiting.md")
    done = reader.run("python price.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("waiting.md", "text")[0]


def test_a_signal_is_waited_for_as_the_document_shows(reader):
    reader.save("waiting.md")
    done = reader.run(blocks("waiting.md", "sh")[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("waiting.md", "text")[1]


def test_a_long_job_goes_on_behind_its_checkpoint_as_the_document_shows(reader):
    reader.save("long-jobs.md")
    done = reader.run("python run_archive.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("long-jobs.md", "text")[0]


def test_coroutines_are_at_work_at_once_as_the_document_shows(reader):
    reader.save("long-jobs.md")
    done = reader.run("python watch_all.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("long-jobs.md", "text")[1]


def test_a_function_is_called_over_http_as_the_document_shows(reader):
    reader.save("http-tasks.md")
    (reader.folder / "relay.toml").write_text(blocks("http-tasks.md", "toml")[0])
    done = reader.run(blocks("http-tasks.md", "sh")[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("http-tasks.md", "text")[0]


def test_hooks_hear_as_the_document_shows(reader):
    reader.save("hooks.md")
    done = reader.run("python enqueue.py 2>log.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("hooks.md", "text")[0]


def test_many_calls_are_one_commit_as_the_document_shows(reader):
    reader.save("functions.md")
    done = reader.run("python many.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("functions.md", "text")[1]


def test_chains_and_groups_are_run_as_the_document_shows(reader):
    reader.save("chains.md")
    done = reader.run("python compose.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("chains.md", "text")[0]


def test_tasks_wait_for_others_as_the_document_shows(reader):
    reader.save("chains.md")
    done = reader.run("python graph.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("chains.md", "text")[1]


def test_limits_hold_as_the_document_shows(reader):
    reader.save("limits.md")
    done = reader.run("python send.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("limits.md", "text")[0]


def test_reminders_are_made_as_the_document_shows(reader):
    reader.save("mail.md")
    done = reader.run("python remind.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("mail.md", "text")[0]


def test_tasks_are_bound_to_objects_as_the_document_shows(reader):
    reader.save("bound.md")
    done = reader.run("python plan.py && python -c 'import reminders'")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("bound.md", "text")[0]


def test_the_tasks_of_the_document_can_be_enqueued_and_run(reader, monkeypatch):
    reader.save("tasks.md")
    done = reader.run("python enqueue.py && python trial.py && python cinema.py")
    assert done.returncode == 0, done.stderr
    film = int(done.stdout.split()[-1])
    monkeypatch.syspath_prepend(str(reader.folder))
    uri = f"file://{reader.folder}/var/relay.fs"
    stopper = (
        "import time, transaction\n"
        "from scheduler import Client\n"
        "from scheduler.store import connect\n"
        "with connect() as connection:\n"
        "    client = Client(connection)\n"
        f"    film = client.getTask({film})\n"
        "    while client.getStatus()['finished'] < 2 or film.getResult() is None:\n"
        "        time.sleep(0.05)\n"
        "        connection.sync()\n"
        "    client.shutdown()\n"
        "    transaction.commit()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", stopper], cwd=reader.folder, env=reader.environment
    ) as watching:
        assert Scheduler(database=uri).run() == 0
        assert watching.wait(DEADLINE) == 0
    with connect(uri) as connection:
        assert connection.root()["count"] == 1
        with SchedulerModule.getDBInstance(connection).getTaskById(film).getResult().open() as part:
            assert len(part.read()) == 17_000_000


def test_the_schedules_of_the_document_are_followed(reader, monkeypatch, relay_clock):
    reader.save("schedules.md")
    done = reader.run("python change.py && python -c 'import holidays'")
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(reader.folder))
    relay_clock.now = datetime.now(UTC)
    with connect(f"file://{reader.folder}/var/relay.fs") as connection:
        relay = Relay(connection.db(), connection, relay_clock)
        assert relay.run_due() == []
        relay_clock.advance(62)  # the jitter included
        # the working day may begin in this very minute
        (heartbeat,) = (task for task in relay.run_due() if type(task).__name__ == "Heartbeat")
        assert heartbeat.getSchedule().seconds == 60
        assert connection.root()["heartbeat"] == 1


def test_the_schedules_that_functions_declare_are_listed_and_dropped(reader):
    reader.save("schedules.md")
    done = reader.run("\n".join(blocks("schedules.md", "sh")))
    assert done.returncode == 0, done.stderr
    for name in ("nightly", "refresh", "close_the_books"):
        assert f"jobs.{name}  " in done.stdout
    assert "cron 0 3 * * * Europe/Zurich" in done.stdout
    assert "1 task to be removed" in done.stdout


def test_tasks_can_be_looked_into_as_the_document_shows(reader):
    reader.save("insight.md")
    done = reader.run("\n".join(blocks("insight.md", "sh")))
    assert done.returncode == 0, done.stderr
    for shown in blocks("insight.md", "text"):
        assert shown.rstrip() in done.stdout


def test_a_task_waits_for_a_delivery_as_the_document_shows(reader):
    reader.save("following.md")
    done = reader.run("python announce.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("following.md", "text")[0]


@pytest.mark.timeout(600)
def test_failed_tasks_are_found_and_started_again_as_the_document_shows(reader):
    def wait_until(shelf, number):
        def is_so():
            with connect(f"file://{reader.folder}/var/relay.fs") as connection:
                return SchedulerModule.getDBInstance(connection).getStatus()[shelf] == number

        wait_for(is_so, 120)

    reader.save("failures.md")
    order, look, retry, forget, _, bring_back, repair = blocks("failures.md", "sh")
    reason, quarantined = (text.strip() for text in blocks("failures.md", "text"))

    assert reader.run(order).returncode == 0
    wait_until("failed", 3)
    assert reader.run(look).stdout.count(reason) == 3
    assert reader.run(retry).returncode == 0
    wait_until("finished", 3)

    assert reader.run(forget).returncode == 0
    wait_until("failed", 3)
    assert reader.run(look).stdout.count(quarantined) == 3
    assert reader.run(bring_back).returncode == 0
    wait_until("finished", 6)
    assert reader.run("python clear.py").stdout == "6 invoices are printed\n"
    wait_until("finished", 0)
    assert reader.run(repair).returncode == 0
    assert reader.run("indico_scheduler stop").returncode == 0


def test_the_tests_of_the_document_pass(reader):
    reader.save("testing.md")
    done = reader.run("python -m pytest -q -p no:cacheprovider .")
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_the_agent_of_the_document_keeps_its_rows(reader):
    reader.save("targets.md")
    done = reader.run("\n".join(blocks("targets.md", "sh")))
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(reader.folder / "rows.db")) as connection:
        rows = connection.execute("SELECT id, document FROM record").fetchall()
    assert [(obj_id, json.loads(text)["title"]) for obj_id, text in rows] == [
        ("1", "Spring school")
    ]
    code = (reader.folder / "sqlite_agent.py").read_text()
    assert len(code[code.index("class") :].splitlines()) <= 30


@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_files_that_operations_speaks_of_are_there():
    for name in re.findall(r"`(etc/[\w.]+)`", (DOCS / "operations.md").read_text()):
        assert (ROOT / name).exists(), name


def test_the_methods_that_a_newcomer_is_told_of_are_there():
    text = (DOCS / "coming-from.md").read_text()
    named = set(re.findall(r"Client\(\)\.(\w+)", text))
    assert len(named) >= 4
    assert [name for name in named if not hasattr(Queue, name)] == []
