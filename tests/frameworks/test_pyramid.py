"""A Pyramid application has the database in its requests, under real servers.

Covers `daemon.pyramid`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import Counter

import httpx
import psutil
import pytest
import transaction
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationError
from werkzeug.test import Client as HttpClient

from daemon.pyramid import NO_DATABASE
from livesync import SyncManager
from livesync.watching import unwatch, watch
from scheduler import Client
from scheduler.store import connect, current, transact
from tests.daemon.conftest import environment
from tests.docs.test_documents import Reader, blocks
from tests.scheduler.harness import running
from tests.scheduler.sample_waits import double
from tests.waiting import DEADLINE, wait_for

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Pyramid imports

REQUESTS = 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the application of the document, which can be imported."""
    Reader(tmp_path).save("pyramid.md")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)
    yield tmp_path
    for name in ("shop", "wsgi"):
        sys.modules.pop(name, None)


@contextlib.contextmanager
def serving(folder, command, url):
    """Run a web server by *command* in *folder* until the block ends; give its process."""
    variables = {**environment(folder), "PYTHONPATH": f"{folder}:{os.getcwd()}"}
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=variables, process_group=0
    ) as server:
        try:
            wait_for(lambda: answers(url), what="the server")
            yield server
        finally:
            server.terminate()
            server.wait(DEADLINE)


def answers(url):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/orders/none", timeout=200).status_code == 404


def counts(uri):
    """Return how many orders and spooled tasks there are."""
    with connect(uri) as connection:
        orders = [name for name in connection.root() if name.isdecimal()]
        return len(orders), len(Client(connection).getSpool())


def test_one_killed_worker_costs_one_request_at_most(folder, free_port):
    uri, url = f"file://{folder}/var/relay.fs", f"http://127.0.0.1:{free_port}"
    command = ["gunicorn", "--workers", "3", "--bind", f"127.0.0.1:{free_port}"]
    statuses, lock = Counter(), threading.Lock()
    half = threading.Semaphore(0)

    def put(first):
        for number in range(first, REQUESTS, 4):
            try:
                status = httpx.put(f"{url}/orders/{number}", timeout=200).status_code
            except httpx.HTTPError:
                status = 0
            with lock:
                statuses[status] += 1
            half.release()

    with serving(folder, [*command, "wsgi:app"], url) as server:
        threads = [threading.Thread(target=put, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(REQUESTS // 3):
            half.acquire(timeout=200)
        worker = psutil.Process(server.pid).children()[0]
        worker.kill()
        for thread in threads:
            thread.join()
        assert server.poll() is None
        orders, spooled = counts(uri)
    assert REQUESTS - statuses[200] <= 1, statuses
    assert orders == spooled >= statuses[200]


def test_waitress_serves_it_while_the_daemon_runs_its_tasks(folder, free_port):
    url = f"http://127.0.0.1:{free_port}"
    command = ["waitress", f"--listen=127.0.0.1:{free_port}", "wsgi:app"]
    uri = f"file://{folder}/var/relay.fs"
    daemon = ["daemon.cli.main", "start", "--standalone", "--database", uri]
    (folder / "relay.toml").write_text("[web]\nport = 0\n")
    with (
        serving(folder, command, url),
        serving(folder, [*daemon, "--config", "relay.toml"], url),
    ):
        assert httpx.put(f"{url}/orders/1", timeout=200).text == "order 1 is paid\n"
        wait_for(
            lambda: "shipped" in httpx.get(f"{url}/orders/1", timeout=200).text, what="the task"
        )


@pytest.fixture
def app(folder):
    import shop

    app = shop.main({"relay.database": f"file://{folder}/data.fs"})
    yield app
    app.registry["zodb_database"].close()


def test_a_request_that_fails_leaves_neither_order_nor_task(app):
    client = HttpClient(app)
    assert client.put("/orders/7").status_code == 200
    assert client.put("/orders/mine").status_code == 400
    database = app.registry["zodb_database"]
    assert transact(database, lambda own: {"7", "mine"} & {*own.root()}) == {"7"}
    assert transact(database, lambda own: len(Client(own).getSpool())) == 1


def test_a_task_of_a_request_bears_method_path_and_user(app):
    client = HttpClient(app)
    client.put("/orders/7?secret=1", environ_base={"REMOTE_USER": "anna"})

    def origin(connection):
        ((_, task),) = Client(connection).getSpool()
        return task.getOrigin()

    found = transact(app.registry["zodb_database"], origin)
    assert found.request == "PUT /orders/7"
    assert found.host == socket.gethostname()


def application(settings, view, *includes):
    with Configurator(settings=settings) as config:
        for name in includes:
            config.include(name)
        config.include("daemon.pyramid")
        config.add_route("view", "/")
        config.add_view(view, route_name="view", renderer="string")
        return config.make_wsgi_app()


def test_a_view_waits_for_a_task_behind_a_commit_of_its_own(folder):
    def view(request):
        call = double.enqueue(21)
        request.tm.commit()
        request.tm.begin()
        return str(Client().waitFor(call, DEADLINE))

    app = application({"relay.database": f"file://{folder}/data.fs"}, view)
    database = app.registry["zodb_database"]
    with running(database):
        assert HttpClient(app).get("/").text == "42"
    database.close()


def test_no_connection_is_opened_for_a_view_that_asks_for_none(folder):
    app = application({"relay.database": f"file://{folder}/data.fs"}, lambda request: "hello")
    database = app.registry["zodb_database"]
    opened = []
    database.open = lambda *args, **options: opened.append(args)
    assert HttpClient(app).get("/").text == "hello"
    assert opened == []
    del database.open
    database.close()


def test_the_database_of_pyramid_zodbconn_is_taken(folder, free_port):
    from pyramid_zodbconn import get_connection

    def view(request):
        assert current() is get_connection(request) is request.zodb_connection
        return str(Client().getStatus()["state"])

    app = application({"zodbconn.uri": "memory://"}, view, "pyramid_zodbconn")
    assert HttpClient(app).get("/").status_code == 200
    transaction.abort()
    app.registry["zodb_database"].close()


def test_a_request_records_what_it_changes_of_watched_classes(folder):
    """The view knows nothing of this software, and the database is pyramid_zodbconn's."""
    from pyramid_zodbconn import get_connection

    def view(request):
        get_connection(request).root()["1"] = importlib.import_module("shop").Order()
        return "bought"

    app = application({"zodbconn.uri": "memory://"}, view, "pyramid_zodbconn")
    watch(importlib.import_module("shop").Order)
    try:
        assert HttpClient(app).get("/").text == "bought"
        with app.registry["zodb_database"].transaction() as connection:
            ((_, action),) = SyncManager.getDBInstance(connection).getTrack()
        assert (action.kind, action.getActions()) == ("shop.Order", {"created"})
    finally:
        unwatch()
        app.registry["zodb_database"].close()


def test_a_file_that_zodbconn_opens_for_itself_is_warned_of(folder, caplog):
    with caplog.at_level(logging.WARNING):
        app = application({"zodbconn.uri": f"file://{folder}/own.fs"}, lambda request: "hello")
    app.registry["zodb_database"].close()
    assert f"'relay.database = file://{folder}/own.fs' in place of zodbconn.uri" in caplog.text


def test_a_conflict_repeats_the_request(folder):
    tries = []

    def view(request):
        root = request.zodb_connection.root()
        tries.append(root.get("count", 0))
        root["count"] = tries[-1] + 1
        if len(tries) == 1:
            transact(database, lambda own: own.root().update(count=10))
        return "done"

    app = application({"relay.database": f"file://{folder}/data.fs"}, view)
    database = app.registry["zodb_database"]
    assert HttpClient(app).get("/").text == "done"
    assert tries == [0, 10]
    database.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_schemes_of_postgresql_are_understood(folder, postgres_uri, scheme):
    uri = f"{scheme}://{postgres_uri.partition('://')[2]}"
    app = application({"relay.database": uri}, lambda request: str(Client().getStatus()["spooled"]))
    assert HttpClient(app).get("/").text == "0"
    app.registry["zodb_database"].close()


def test_include_without_a_database_says_what_to_set(monkeypatch):
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)
    with pytest.raises(ConfigurationError, match=r"has no database: set relay\.database") as caught:
        Configurator(settings={}).include("daemon.pyramid")
    assert str(caught.value) == NO_DATABASE


def test_include_with_a_database_that_is_none_names_it():
    settings = {"relay.database": "nonsense://here"}
    with pytest.raises(ConfigurationError, match="'nonsense://here' does not name a database"):
        Configurator(settings=settings).include("daemon.pyramid")


def test_the_application_of_the_document_answers_as_it_shows(tmp_path, free_port):
    reader = Reader(tmp_path)
    reader.save("pyramid.md")
    try:
        done = reader.run(blocks("pyramid.md", "sh")[0].replace("6543", str(free_port)))
        assert done.returncode == 0, done.stderr
        assert done.stdout == blocks("pyramid.md", "text")[0]
    finally:
        reader.run("kill $(cat gunicorn.pid); indico_scheduler stop --database file://var/relay.fs")
