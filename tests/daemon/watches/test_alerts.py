"""An operator is told of new dead letters and of agents that lag, once."""

from __future__ import annotations

import sys
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller

from daemon.config import Alerts, Config
from daemon.errors import ConfigurationException
from daemon.watches import alerts
from daemon.watches.alerts import AlertWatch
from livesync import ActionWrapper, SyncManager
from livesync.capture.escapes import SCHEMA as ESCAPES
from livesync.capture.escapes import Escape
from scheduler import Client, nowutc
from scheduler.store import transact
from tests.daemon.sample_tasks import Bad
from tests.livesync.agents_for_tests import FailingAgent
from tests.ports import free_port
from tests.scheduler.harness import running
from tests.scheduler.mail_inbox import Inbox
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def looks_are_frequent(monkeypatch):
    monkeypatch.setattr(alerts, "LOOK_SECONDS", 0.02)


@pytest.fixture
def told(tmp_path):
    """The alerts that a command has been told, and the settings that name it."""
    file = tmp_path / "alerts.txt"
    code = f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read() + '--\\n')"

    def texts():
        return file.read_text().split("--\n")[:-1] if file.exists() else []

    return texts, f'{sys.executable} -c "{code}"'


@pytest.fixture
def watch(database):
    """Start the watch with these settings."""
    started = []

    def start(**settings):
        started.append(AlertWatch(database, Alerts(**settings), lambda: True))
        started[-1].start()

    yield start
    for each in started:
        each.close()


def fail(database, folder, count=1):
    """Let tasks fail for good; return the number of the last one."""

    def enqueue(connection):
        tasks = [Bad(nowutc(), str(folder / "never")) for _ in range(count)]
        Client(connection).enqueueAll(tasks)
        return tasks[-1].getId()

    before = transact(database, failed)
    number = transact(database, enqueue)
    with running(database):
        wait_for(lambda: transact(database, failed) == before + count, what="the failures")
    return number


def failed(connection):
    return Client(connection).getStatus()["failed"]


def test_a_command_is_told_of_new_dead_letters_and_not_of_old_ones(database, tmp_path, told, watch):
    texts, command = told
    old = fail(database, tmp_path)
    watch(command=command, every=0)
    new = fail(database, tmp_path, 2)
    wait_for(lambda: "".join(texts()).count("\n") == 2, what="the alerts")
    told_of = "".join(texts())
    assert f"task {new} " in told_of
    assert f"task {old} " not in told_of
    assert told_of.count("Bad) is a dead letter: ValueError: no luck\n") == 2


def test_a_fault_soon_after_an_alert_waits_for_the_next(database, tmp_path, told, watch):
    texts, command = told
    watch(command=command, every=3600)
    fail(database, tmp_path)
    wait_for(texts, what="the alert")
    before = texts()
    fail(database, tmp_path, 2)
    assert texts() == before


def test_an_agent_that_lags_is_told_of_once(database, told, watch):
    texts, command = told

    def plant(connection):
        manager = SyncManager.getDBInstance(connection)
        agent = FailingAgent("search", "", "", 1)
        manager.registerNewAgent(agent)
        agent.setActive(True)
        before = nowutc().timestamp() - 7200
        manager.add(before, ActionWrapper(int(before), connection.root(), {"created"}, "1"))

    transact(database, plant)
    watch(command=command, every=0, lag=60)
    wait_for(texts, what="the alert")
    (text,) = texts()
    assert text.startswith("agent search lags by 72")
    assert text.endswith(" s: 1 changes wait\n")


def test_an_alert_is_mailed(database, tmp_path, watch, monkeypatch):
    inbox = Inbox()
    port = free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        monkeypatch.setenv("SCHEDULER_MAIL", f"smtp://127.0.0.1:{port}?from=relay@example.org")
        watch(mail="operator@example.org")
        number = fail(database, tmp_path)
        wait_for(lambda: inbox.envelopes, what="the mail")
    finally:
        controller.stop()
    (envelope,) = inbox.envelopes
    message = message_from_bytes(envelope.content, policy=default)
    assert envelope.rcpt_tos == ["operator@example.org"]
    assert message["From"] == "relay@example.org"
    assert message["Subject"].startswith(f"zodb-relay: task {number} ")
    assert "is a dead letter: ValueError: no luck" in message.get_content()


def test_a_command_that_fails_is_logged_with_the_alert(database, tmp_path, watch, caplog):
    watch(command="false")
    number = fail(database, tmp_path)
    wait_for(
        lambda: f"task {number} " in caplog.text and "alert not sent" in caplog.text, what="it"
    )


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"mail": "nobody"}, "'nobody' is no mail address"),
        ({"mail": "a@example.org"}, "no mail server is set"),
        ({"command": "echo 'x"}, "No closing quotation"),
        ({"every": "often"}, "every: 'often' is no period"),
        ({"comand": "x"}, "did you mean 'command'"),
    ],
)
def test_settings_of_no_use_are_refused(settings, reason, monkeypatch):
    monkeypatch.delenv("SCHEDULER_MAIL", raising=False)
    with pytest.raises(ConfigurationException, match=rf"\[alerts\].*{reason}"):
        Config.of({"alerts": settings})


def test_a_transaction_that_escaped_is_told_once(database, told, watch):
    texts, command = told
    watch(command=command)
    escape = Escape(9, "joe", "by hand", ((31, "shop.Order"),))
    transact(database, lambda own: ESCAPES.get(own).add([escape], 9))
    wait_for(texts)
    (text,) = texts()

    assert "by user 'joe' ('by hand')" in text
    assert "1 of shop.Order (0x1f); record them with" in text
