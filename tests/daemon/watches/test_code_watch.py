"""New code comes in without a restart: workers are replaced one by one, and running tasks end.

Covers `scheduler.dispatch.renewal`, `scheduler.executors.replacement`,
`scheduler.executors.worker_end`, `scheduler.store.import_fault`, `daemon.watches.code_watch`.
"""

from __future__ import annotations

import os
import time

import pytest

from daemon.cli import main as cli
from scheduler import Client, nowutc
from scheduler.store import open_database, transact
from scheduler.tasks import OneShotTask
from tests.faults.processes import Daemon
from tests.waiting import wait_for

CODE = """
import pathlib
import time
from scheduler.tasks import OneShotTask

class Job(OneShotTask):
    maxTries = 1
    def run(self):
        return VERSION

class Patient(OneShotTask):
    def __init__(self, start, go):
        super().__init__(start)
        self.go = go
    def run(self):
        self.setProgress(0.5)
        while not pathlib.Path(self.go).exists():
            time.sleep(0.05)
        return VERSION
"""
MORE = """
class Further(OneShotTask):
    def run(self):
        return "further"
"""


class Site:
    """An application in a folder, its database and its daemon."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.file = folder / "jobs_to_renew.py"
        self.uri = f"file://{folder}/data.fs"
        self.write(1)
        monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.getcwd()}")
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        self.database = open_database(self.uri)

    def write(self, version, more=""):
        """Write the code; as Python tells bytecode by the second, the file is a second younger."""
        self.file.write_text(CODE.replace("VERSION", repr(version)) + more)
        moment = time.time() + 2 * (version != 1)
        os.utime(self.file, (moment, moment))

    def enqueue(self, name, *arguments):
        """Enqueue a task of class *name*, known here or not; return its number."""
        module = __import__("jobs_to_renew")
        if not hasattr(module, name):
            made = type(name, (OneShotTask,), {"__module__": module.__name__, "run": None})
            setattr(module, name, made)

        def enqueue(connection):
            task = getattr(module, name)(nowutc(), *arguments)
            Client(connection).enqueue(task)
            return task.getId()

        return transact(self.database, enqueue)

    def result(self, number):
        """Return the result of task *number* when it has one."""
        return wait_for(
            lambda: transact(self.database, lambda own: Client(own).getTask(number).getResult()),
            what=f"the result of task {number}",
        )

    def attempts(self, number):
        return transact(self.database, lambda own: Client(own).getTask(number).getAttempts())

    def progress(self, number):
        return transact(self.database, lambda own: Client(own).getTask(number).getProgress())


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = Site(tmp_path, monkeypatch)
    yield site
    site.database.close()


@pytest.fixture
def start(site):
    """Start the daemon of the site."""
    started = []

    def start(*options):
        daemon = Daemon(site.folder, site.uri, options=options, workers=2)
        started.append(daemon)
        daemon.wait_until_up()
        return daemon

    yield start
    for daemon in started:
        daemon.close()


def test_reload_replaces_workers_brings_new_classes_and_lets_running_tasks_end(site, start, capsys):
    daemon = start()
    assert site.result(site.enqueue("Job")) == 1
    patient = site.enqueue("Patient", str(site.folder / "go"))
    wait_for(lambda: site.progress(patient), what="the run")
    before = {worker.pid for worker in daemon.workers()}

    site.write(2, MORE)
    waiting = site.enqueue("Further")
    wait_for(lambda: "has changed since process" in daemon.text(), what="the quarantine")
    (site.folder / "go").touch()
    assert cli.main(["reload", "--database", site.uri]) == 0
    assert capsys.readouterr().out == "2 of 2 workers are replaced\n"

    assert not before & {worker.pid for worker in daemon.workers()}
    assert site.result(patient) == 1
    assert len(site.attempts(patient)) == 1
    assert site.result(site.enqueue("Job")) == 2
    assert site.result(waiting) == "further"
    assert daemon.terminate() == 0


def test_code_that_cannot_be_imported_replaces_no_worker(site, start):
    daemon = start()
    assert site.result(site.enqueue("Job")) == 1
    before = {worker.pid for worker in daemon.workers()}
    site.file.write_text("def broken(:\n")
    os.utime(site.file, (time.time() + 2,) * 2)
    transact(site.database, lambda own: Client(own).reloadWorkers())
    wait_for(lambda: "not replaced: no import of the new code" in daemon.text(), what="the refusal")
    assert "SyntaxError" in daemon.text()
    assert before == {worker.pid for worker in daemon.workers()}
    site.write(3)
    assert cli.main(["reload", "--database", site.uri]) == 0
    assert site.result(site.enqueue("Job")) == 3


def test_a_daemon_for_development_reloads_when_a_file_changes(site, start):
    daemon = start("--reload")
    assert site.result(site.enqueue("Job")) == 1
    before = {worker.pid for worker in daemon.workers()}
    wait_for(lambda: "watching the Python files" in daemon.text(), what="the watch")
    site.write(2)
    wait_for(lambda: not before & {worker.pid for worker in daemon.workers()}, what="new workers")
    assert site.result(site.enqueue("Job")) == 2


def test_reload_without_a_daemon_is_refused(site, capsys):
    assert cli.main(["reload", "--database", site.uri]) == 255
    assert "doesn't seem to be running" in capsys.readouterr().out
