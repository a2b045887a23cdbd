"""What tasks print and log is in the daemon's log, with the ids of the attempt.

Covers `scheduler.executors.log_writer`, `scheduler.executors.output_pipe`,
`scheduler.runtime.attempt_log`, `scheduler.runtime.output`, `scheduler.worker.log_forwarding`,
`daemon.logs.log_format`, `daemon.logs.process_log`.
"""

from __future__ import annotations

import json
import logging
import threading

import pytest

from daemon.config import Config
from daemon.errors import ConfigurationException
from daemon.logs.log_format import JsonFormatter, TextFormatter
from daemon.logs.process_log import start_log
from scheduler import nowutc
from scheduler.executors import log_writer
from scheduler.executors.log_writer import LogWriter
from scheduler.worker.log_forwarding import ForwardedLine
from tests.daemon.logs.test_service_log import started
from tests.daemon.sample_tasks import Chatty, Flood
from tests.waiting import wait_for


class JsonLog:
    """A daemon in the background that logs JSON, and the events of its log."""

    def __init__(self, background):
        self.background = background

    def events(self, **fields):
        """Return the events of the log that have these *fields*, of lines written to their end."""
        written, _, _ = (self.background.folder / "relay.log").read_text().rpartition("\n")
        lines = written.splitlines()
        events = [json.loads(line) for line in lines]
        return [each for each in events if all(each.get(k) == v for k, v in fields.items())]

    def event(self, **fields):
        """Return the one event that has these *fields*, as soon as it is there."""
        (event,) = wait_for(lambda: self.events(**fields), what=f"an event with {fields}")
        return event


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    with started(folder, log='format = "json"\nlevel = "DEBUG"') as background:
        yield JsonLog(background)


@pytest.fixture(scope="module")
def chatty(log):
    """The number of a task that has said what it has to say."""
    number = log.background.enqueue(Chatty(nowutc()))
    log.event(level="ERROR")
    return number


@pytest.mark.parametrize(
    ("message", "level", "logger"),
    [
        ("a detail", "DEBUG", "tests.daemon.sample_tasks"),
        ("an event", "INFO", "tests.daemon.sample_tasks"),
        ("a warning", "WARNING", "task.Chatty"),
        ("printed", "INFO", "stdout"),
        ("to stderr", "WARNING", "stderr"),
        ("all of it", "INFO", "stdout"),
    ],
)
def test_a_line_has_level_logger_and_the_ids_of_its_attempt(log, chatty, message, level, logger):
    event = log.event(message=message)
    assert (event["level"], event["logger"]) == (level, logger)
    assert (event["task_id"], event["task_class"]) == (chatty, "Chatty")
    assert (event["attempt"], event["queue"]) == (1, "talk")
    assert event["process"] != log.background.process.pid


@pytest.mark.usefixtures("chatty")
def test_the_output_of_a_program_that_a_task_starts_is_logged(log):
    assert log.event(message="from a program")["logger"] == "output"


def test_a_failure_is_logged_with_its_traceback_and_without_secrets(log, chatty):
    event = log.event(level="ERROR")
    assert event["message"].startswith(f"task {chatty} (Chatty) failed on try 1 of 1, for good")
    assert event["exception"].startswith("Traceback (most recent call last):\n")
    assert "in run\n" in event["exception"]
    assert "secret" not in json.dumps(event)


@pytest.mark.usefixtures("chatty")
def test_fields_that_an_application_adds_are_fields_of_the_event(log):
    assert log.event(message="an event")["invoice"] == 7


def test_lines_of_any_logger_are_kept_with_the_attempt(log, chatty):
    lines = log.background.attempts(chatty)[0].log
    texts = [line.split(" ", 2)[2] for line in lines]
    assert texts[:4] == [
        "INFO tests.daemon.sample_tasks an event",
        "WARNING a warning",
        "INFO stdout printed",
        "WARNING stderr to stderr",
    ]


def test_many_lines_are_all_there(log):
    number = log.background.enqueue(Flood(nowutc(), 2000))
    wait_for(lambda: log.events(task_id=number, message="line 1999"), what="the last line")
    assert len(log.events(task_id=number, logger="stdout")) == 2000


def test_a_log_that_is_slow_holds_no_worker_up_and_drops_are_counted(monkeypatch):
    monkeypatch.setattr(log_writer, "LINES_WAITING", 10)
    can_write, records = threading.Event(), []

    class Slow(logging.Handler):
        def emit(self, record):
            can_write.wait(30)
            records.append(record.getMessage())

    slow = Slow()
    logging.getLogger("scheduler.executors.log_writer").addHandler(slow)
    logging.getLogger("output").addHandler(slow)
    logging.getLogger("output").setLevel(logging.INFO)
    try:
        writer = LogWriter()
        for number in range(1000):
            writer.write(ForwardedLine.printed(f"line {number}", 1))
        can_write.set()
        writer.close()
    finally:
        logging.getLogger("output").removeHandler(slow)
        logging.getLogger("output").setLevel(logging.NOTSET)
        logging.getLogger("scheduler.executors.log_writer").removeHandler(slow)
    written = [text for text in records if text.startswith("line ")]
    (dropped,) = [text for text in records if text.endswith("were dropped: the log is slow")]
    assert written[0] == "line 0"
    assert len(written) + int(dropped.split()[0]) == 1000


def test_text_has_the_ids_before_the_message():
    fields = {"name": "stdout", "levelname": "INFO", "process": 9, "created": 0.0, "msg": "hello"}
    ids = {"task_id": 41, "task_class": "Invoice", "attempt": 2, "queue": "mail"}
    line = TextFormatter().format(logging.makeLogRecord({**fields, **ids}))
    assert line.endswith("9 INFO stdout [task 41 attempt 2 of queue mail] hello")
    outside = TextFormatter().format(logging.makeLogRecord(fields))
    assert outside.endswith("9 INFO stdout hello")


def test_json_is_one_line_whatever_is_logged():
    record = logging.makeLogRecord({"msg": "two\nlines \u2028", "odd": "\x1b"})
    line = JsonFormatter().format(record)
    assert line.isprintable()
    assert json.loads(line)["message"] == "two\nlines \u2028"


CONFIG = """
[formatters.ids]
format = "%(task_id)s|%(message)s"
[handlers.file]
class = "logging.FileHandler"
filename = "FILE"
formatter = "ids"
[root]
level = "INFO"
handlers = ["file"]
"""


@pytest.fixture
def logging_as_it_was(monkeypatch):
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    monkeypatch.setattr("daemon.logs.process_log.log_output", lambda: None)
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("logging_as_it_was")
def test_a_file_that_is_named_configures_the_log(tmp_path):
    file = tmp_path / "logging.toml"
    file.write_text(CONFIG.replace("FILE", str(tmp_path / "own.log")))
    start_log(Config.of({"log": {"config": str(file)}}).log, in_background=False)
    logging.getLogger("test").info("hello")
    assert (tmp_path / "own.log").read_text() == "|hello\n"


@pytest.mark.usefixtures("logging_as_it_was")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[handlers.file]\nclass = 'no.Handler'", "Unable to configure handler 'file'"),
        ("[root", r"Expected"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_configure_the_log_is_named(tmp_path, text, reason):
    file = tmp_path / "logging.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationException, match=rf"\[log\] config .*logging.toml: .*{reason}"):
        start_log(Config.of({"log": {"config": str(file)}}).log, in_background=False)


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigurationException, match=r"\[log\] format is 'xml'"):
        Config.of({"log": {"format": "xml"}})
