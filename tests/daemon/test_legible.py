"""Nothing that people wrote acts on a terminal, a page or a log: it is shown escaped.

Covers `scheduler.values.legible`.
"""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
import transaction

from daemon.cli import main as daemon_cli
from daemon.console.application import Console
from daemon.logs.process_log import log_to
from daemon.metrics.labels import shown_label
from daemon.web.metrics import Metrics
from daemon.web.server import front
from export.cli import main as export_cli
from livesync import ActionWrapper, SyncManager
from livesync.cli import main as livesync_cli
from scheduler import Client, nowutc
from scheduler.store import open_database, using
from scheduler.tasks import OneShotTask
from scheduler.testing import Relay, StandingClock
from scheduler.values.legible import LegibleStream, legible, legible_line
from tests.livesync.agents_for_tests import FailingAgent, ListAgent
from tests.livesync.stand_ins import Conference

SEEN = "Zo\u00eb, \u5317\u4eac, \U0001f600, \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
CONTROLS = "".join(map(chr, [*range(9), *range(11, 32), *range(127, 160)]))
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
OTHERS = "\u2028\u2029\u200b\ufeff\uffff\udcff"
ODD = CONTROLS + DIRECTIONS + OTHERS
NAME = f"{SEEN} \ud800 \x1b[31m {ODD} end"


class Odd(OneShotTask):
    """Logs, returns or fails with odd characters."""

    maxTries = 1

    def __init__(self, start, fails):
        super().__init__(start)
        self.fails = fails

    def uniqueKey(self):
        return NAME if self.fails else None

    def run(self):
        self.getLogger().info(NAME)
        if self.fails:
            raise ValueError(NAME)
        return NAME


class Planted(NamedTuple):
    """A database full of odd texts."""

    uri: str
    failed: int
    finished: int


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    uri = f"file://{tmp_path_factory.mktemp('odd')}/odd.fs"
    database = open_database(uri)
    transaction.abort()
    connection = database.open()
    with using(connection):
        relay = Relay(database, connection, StandingClock())
        failed, finished = Odd(nowutc(), fails=True), Odd(nowutc(), fails=False)
        relay.enqueue(failed, finished)
        assert len(relay.run_due()) == 2
        manager = SyncManager.getDBInstance()
        manager.registerNewAgent(ListAgent("list", NAME, NAME, 60))
        manager.registerNewAgent(FailingAgent("failing", NAME, NAME, 60))
        event = connection.root()["event"] = Conference(NAME)
        manager.add(100, ActionWrapper(100, event, [NAME], NAME))
        manager.getAgent("failing").delivery_state.fail(NAME, 0)
        Client().enqueue(Odd(nowutc(), fails=True))
        transaction.commit()
        planted = Planted(uri, failed.getId(), finished.getId())
    connection.close()
    database.close()
    return planted


def assert_legible(text):
    assert {character for character in text if character in ODD} == set()


def texts_in(value):
    """Yield all texts of a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_in(one)


SCHEDULER = ["show status", "show spool", "show tasks", "show failed", "show task {failed}",
    "show task {finished}", "run {failed} --dry-run", "blame {failed}"]  # fmt: skip


@pytest.mark.parametrize("is_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("command", SCHEDULER)
def test_the_scheduler_command_prints_legibly(planted, capsys, command, is_json):
    words = command.format(**planted._asdict()).split() + ["--json"] * is_json
    assert daemon_cli.main([*words, "--database", planted.uri]) == ("--dry-run" in words)
    printed = capsys.readouterr()
    assert_legible(printed.out + printed.err)
    if is_json and SEEN in printed.out:
        assert NAME in "".join(texts_in(json.loads(printed.out)))
    assert "Traceback" not in printed.err


LIVESYNC = ["list", "list --json", "agents", "agents --json", "dead list", "agent none run"]


@pytest.mark.parametrize("command", LIVESYNC)
def test_the_livesync_command_prints_legibly(planted, capsys, command):
    livesync_cli.main(["--database", planted.uri, *command.split()])
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert_legible(printed.out + printed.err)


def test_the_export_command_prints_legibly(tmp_path, capsys):
    uri = f"file://{tmp_path}/export.fs"
    file = tmp_path / "event.ics"
    lines = [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:1@example.org",
        f"SUMMARY:\x1b[31m{DIRECTIONS}",
    ]
    lines += ["DTSTART:20300101T100000Z", "END:VEVENT", "END:VCALENDAR", ""]
    file.write_text("\r\n".join(lines))
    for source in (str(file), f"{tmp_path}/\x1b[2J\udcff.ics"):
        export_cli.main(["import", source, "--database", uri])
        printed = capsys.readouterr()
        assert printed.out + printed.err
        assert_legible(printed.out + printed.err)


@pytest.mark.parametrize("module", ["daemon", "livesync", "export"])
def test_where_only_ascii_can_be_printed_the_rest_is_escaped(planted, module):
    command = {
        "daemon": ["show", "task", str(planted.failed), "--json"],
        "livesync": ["list"],
        "export": ["import", f"/nowhere/{SEEN}\x1b"],
    }[module]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", f"{module}.cli", *command, "--database", planted.uri],
        env=environment,
        capture_output=True,
        timeout=200,
        check=False,
    )
    text = (done.stdout + done.stderr).decode("ascii")
    assert "Traceback (most" not in done.stderr.decode()
    assert "\\u5317" in text
    assert_legible(text)
    if module == "daemon":
        assert NAME in json.loads(done.stdout)["attempts"][0]["message"]


def test_an_argument_that_is_refused_is_printed_legibly(capsys):
    with pytest.raises(SystemExit):
        daemon_cli.main([f"show{ODD}"])
    assert_legible(capsys.readouterr().err)


LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "wsgi.url_scheme": "http"}


def test_the_pages_show_odd_texts_escaped(planted):
    database = open_database(planted.uri)
    try:
        console, metrics = Console(database), Metrics(database).text
        application = front(lambda environ, start: [], console, lambda: NAME, metrics)
        for path in ("/", "/metrics", "/health"):
            answers = []
            body = b"".join(
                application(
                    {"PATH_INFO": path, "REQUEST_METHOD": "GET", **LOCAL},
                    lambda status, headers, answers=answers: answers.append(status),
                )
            )
            assert answers == ["503 Service Unavailable" if path == "/health" else "200 OK"]
            assert_legible(body.decode())
            if path == "/":
                assert SEEN in body.decode()
                assert "\\u202e" in body.decode()
    finally:
        database.close()


def test_a_label_of_the_metrics_is_escaped_as_prometheus_reads_it():
    assert shown_label("a\u202e\n") == r"a\u202e\n"


def test_the_log_shows_odd_texts_escaped(tmp_path):
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        log_to(str(tmp_path / "relay.log"), logging.INFO)
        try:
            raise ValueError(NAME)
        except ValueError:
            logging.getLogger("odd").exception("failed: %s", NAME)
    finally:
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:], root.level = handlers, level
    text = (tmp_path / "relay.log").read_text()
    assert_legible(text)
    assert text.count(SEEN) == 2


def test_visible_text_stays_as_it_is():
    assert legible(f"{SEEN}\n\t{SEEN}") == f"{SEEN}\n\t{SEEN}"
    assert legible_line("a\nb\r\x1b\ud800") == r"a\nb\r\u001b\ud800"


def test_json_means_the_same_when_it_is_legible():
    assert json.loads(legible(json.dumps(NAME, ensure_ascii=False))) == NAME


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "utf-16"])
def test_a_stream_takes_what_its_encoding_has_not(encoding):
    beneath = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    print(json.dumps(NAME, ensure_ascii=False), file=LegibleStream(beneath), flush=True)
    written = beneath.buffer.getvalue().decode(encoding)
    assert json.loads(written) == NAME
