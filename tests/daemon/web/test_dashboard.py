"""The front end and its status page.

Covers `daemon.service`, `daemon.web.server`.
"""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
import transaction

from daemon.config import Config, Web
from daemon.errors import DaemonException
from daemon.service import Service, plant
from daemon.web.dashboard import Dashboard, Panel
from daemon.web.server import WebServer, front
from livesync import PushSyncAgent, SyncManager
from scheduler import TASK_STATUS_FAILED, Client, SchedulerModule, nowutc
from scheduler.store import transact
from scheduler.tasks import SampleOneShotTask
from scheduler.tasks.attempt import Attempt


def export(environ, start):
    start("200 OK", [("Content-Length", "6")])
    return [b"export"]


@pytest.fixture
def serve():
    """Serve an application on a free port; return its address."""
    servers = []

    def start(application, **settings):
        servers.append(WebServer(application, Web(**{"port": 0, **settings})))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def test_addresses_other_than_the_front_ends_own_go_to_the_export(serve):
    url = serve(front(export, lambda: "page", lambda: "", lambda: "numbers"))
    assert httpx.get(f"{url}/").text == "page"
    assert httpx.get(f"{url}/export/event/1.json").text == "export"
    assert httpx.post(f"{url}/").status_code == 405


@pytest.mark.parametrize(("proxy", "scheme"), [("", "http"), ("127.0.0.1", "https")])
def test_only_a_trusted_proxy_is_believed_how_a_request_came(serve, proxy, scheme):
    def tell(environ, start):
        body = environ["wsgi.url_scheme"].encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    url = serve(tell, trusted_proxy=proxy)
    assert httpx.get(url, headers={"X-Forwarded-Proto": "https"}).text == scheme


def test_health_tells_what_is_wrong(serve):
    url = serve(front(export, lambda: "page", lambda: "the scheduler is not running", str))
    answer = httpx.get(f"{url}/health")
    assert (answer.status_code, answer.text) == (503, "the scheduler is not running\n")


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_a_page_that_cannot_be_shown_is_told_without_a_traceback(serve, path, caplog):
    def fail():
        raise OSError("no database")

    answer = httpx.get(serve(front(export, fail, lambda: "", fail)) + path)
    assert (answer.status_code, answer.text.split(";")[0]) == (503, "This cannot be shown now")
    assert "no database" in caplog.text


@pytest.mark.parametrize(
    "path", ["..%2fpyproject.toml", "%2fetc%2fpasswd", "nothing.md", "py.typed"]
)
def test_only_documents_are_given_out(serve, path):
    url = serve(front(export, lambda: "page", lambda: "", lambda: "numbers"))
    assert httpx.get(f"{url}/docs/{path}").status_code == 404


def test_when_no_port_is_free_the_range_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(DaemonException, match="65535"):
            WebServer(export, Web(port=65535))


def test_nothing_that_people_wrote_is_markup_on_the_page(database):
    transact(database, plant)

    def register(connection):
        agent = PushSyncAgent("<b>id</b>", "<script>name</script>", "", 1)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.delivery_state.fail("<img src=x>", 0)

    transact(database, register)
    page = Dashboard(database, [Panel("<i>", ("<u>",), lambda: [("<s>",)])]).page()
    for raw in ("<b>", "<script>", "<img", "<i>", "<u>", "<s>"):
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
    page = Dashboard(database).page()
    assert f"<td>{number}</td><td>scheduler.tasks.samples.SampleOneShotTask</td>" in page
    assert "&lt;b&gt;no&lt;/b&gt; luck" in page


def test_the_page_says_that_the_scheduler_is_paused(database):
    def pause(connection):
        SchedulerModule.getDBInstance(connection).is_paused = True

    transact(database, plant)
    transact(database, pause)
    assert "not running, paused" in Dashboard(database).page()


def test_the_page_changes_nothing_in_the_database(database):
    transact(database, plant)
    before = database.lastTransaction()
    Dashboard(database).page()
    assert database.lastTransaction() == before


def test_a_shutdown_by_a_client_ends_the_service(tmp_path):
    config = Config.of(
        {
            "database": f"file://{tmp_path}/data.fs",
            "web": {"port": 0},
            "scheduler": {"multitask_mode": "threads"},
        }
    )
    stop = threading.Event()
    with Service(config, stop) as service:
        assert service.health() == ""
        transact(service.database, lambda connection: Client(connection).shutdown("enough"))
        assert stop.wait(20)
        assert service.failure is None
    transaction.abort()
