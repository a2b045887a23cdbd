"""The alert rules, the board and the table of the documents name metrics that there are.

Covers `daemon.metrics.database_metrics`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from daemon.service import plant
from daemon.web.metrics import Metrics
from livesync import PushSyncAgent, SyncManager
from scheduler import Client, SchedulerModule, nowutc
from scheduler.dispatch.tick_counts import TickCounts
from scheduler.leadership.roster import WorkerInfo, note_ended, note_started, roster_of
from scheduler.store import open_database, transact
from scheduler.tasks import OneShotTask
from scheduler.worker.measure import Measure
from tests.places import ROOT

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    not PROMTOOL, reason="promtool is missing: apt install prometheus"
)
NAME = re.compile(r"\brelay_[a-z_]+")


@pytest.fixture(scope="module")
def text():
    """Return the metrics of a database with an agent, a queue and tasks of all kinds."""

    def fill(connection):
        plant(connection)
        SyncManager.getDBInstance(connection).registerNewAgent(PushSyncAgent("a", "A", "", 1))
        Client(connection).limitQueue("mail", 2)
        task = OneShotTask(nowutc())
        Client(connection).enqueue(task)
        SchedulerModule.getDBInstance(connection).running.add(task, 0)

    database = open_database("memory://")
    transact(database, fill)
    metrics = Metrics(database)
    attempt = Measure("shop.A", "", 1, 0.1, 0.2, 0.3, ending="dead")
    metrics.tasks.note(TickCounts([("shop.A", "")], [attempt], [("shop.A", 1)], True))
    yield metrics.text()
    database.close()


@pytest.fixture(scope="module")
def names(text):
    """Return the names of the series."""
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def families(text):
    return dict(re.findall(r"# TYPE (\w+) (\w+)", text))


@needs_promtool
def test_promtool_finds_no_fault_in_the_metrics(text):
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_promtool
def test_promtool_finds_no_fault_in_the_alert_rules():
    done = subprocess.run(
        [PROMTOOL, "check", "rules", "--lint-fatal", str(ROOT / "etc/alerts.yml")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.parametrize("file", ["etc/alerts.yml", "etc/grafana.json"])
def test_each_metric_that_an_example_names_is_there(names, file):
    named = set(NAME.findall((ROOT / file).read_text()))
    assert len(named) > 5
    assert named - names == set()


def test_the_board_draws_each_metric_of_tasks_and_agents(text):
    board = json.loads((ROOT / "etc/grafana.json").read_text())
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    drawn = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    for name in ("tasks_enqueued", "task_run_seconds", "queue_oldest_seconds", "agent_lag_seconds"):
        assert f"relay_{name}" in drawn


def test_workers_are_busy_while_their_claim_is_in_force():
    def staffed(connection):
        plant(connection)
        roster = roster_of(connection)
        roster.take("token")
        running = SchedulerModule.getDBInstance(connection).running
        task = OneShotTask(nowutc())
        connection.add(task)
        claim = running.add(task, 0)
        roster.workers = (
            WorkerInfo("a", claim.tid, claim.number),
            WorkerInfo("b", claim.tid, claim.number - 1),
            WorkerInfo("c"),
            WorkerInfo("d", state="stopped"),
        )

    database = open_database("memory://")
    transact(database, staffed)
    note_started("token")
    found = dict(re.findall(r'relay_workers\{state="(\w+)"\} (\S+)', Metrics(database).text()))
    note_ended("token")
    database.close()
    assert found == {"busy": "1.0", "idle": "2.0", "stopped": "1.0"}


def test_the_documents_have_each_metric(text):
    table = (ROOT / "docs/metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(relay_\w+)` \| (\w+) \|", table, re.MULTILINE))
    assert rows == families(text)
