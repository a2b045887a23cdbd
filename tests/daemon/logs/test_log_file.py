"""The log file does not grow without end, nor by saying the same again and again."""

from __future__ import annotations

import logging

import pytest

from daemon.config import Config
from daemon.errors import ConfigurationException
from daemon.logs.log_file import FORGOTTEN_SECONDS, PrivateLog, Repeats


@pytest.fixture
def log(tmp_path, request):
    """A logger that writes into a file of 0.01 MB, with two older ones."""
    logger = logging.getLogger(f"{__name__}.{request.node.name}")
    handler = PrivateLog(str(tmp_path / "relay.log"), 0.01, 2)
    handler.addFilter(Repeats())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)
    handler.close()


def lines(tmp_path):
    return (tmp_path / "relay.log").read_text().splitlines()


def test_a_file_that_is_full_is_begun_anew_and_few_are_kept(log, tmp_path):
    for number in range(1000):
        log.warning("line %d of many that take some room in the file", number)
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["relay.log", "relay.log.1", "relay.log.2"]
    assert sum(each.stat().st_size for each in files) <= 30_000
    assert {each.stat().st_mode & 0o777 for each in files} == {0o600}
    assert lines(tmp_path)[-1].startswith("line 999")


def test_the_same_warning_is_written_a_few_times_and_then_with_its_count(log, tmp_path):
    for _ in range(2500):
        log.warning("accept failed: %s", "no files")
    found = lines(tmp_path)
    assert found[:5] == ["accept failed: no files"] * 5
    assert found[5:] == [f"accept failed: no files ({n} times)" for n in (10, 100, 1000)]


def test_the_same_failure_is_one_with_its_error(log, tmp_path):
    for number in range(40):
        try:
            raise OSError(24, f"too many open files {number % 2}")
        except OSError:
            log.exception("it failed")
    text = (tmp_path / "relay.log").read_text()
    assert text.count("Traceback") == 12  # of each of two errors: 5, and the 10th


def test_lines_that_differ_are_all_written(log, tmp_path):
    for number in range(100):
        log.warning("task %d failed", number)
        log.info("the same information")
    found = lines(tmp_path)
    assert len(found) == 200
    assert len(set(found)) == 101


def test_a_warning_that_was_not_there_for_long_is_news(log, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("daemon.logs.log_file.time.monotonic", lambda: now[0])
    for _ in range(2):
        for _ in range(9):
            log.warning("again")
        now[0] += 2 * FORGOTTEN_SECONDS
    assert lines(tmp_path) == ["again"] * 10


@pytest.mark.parametrize(
    ("settings", "culprit"),
    [
        ({"max_size": 0}, "max_size is 0"),
        ({"max_size": float("inf")}, "max_size is inf"),
        ({"max_size": float("nan")}, "max_size is nan"),
        ({"max_size": True}, "max_size is True"),
        ({"keep": 0}, "keep is 0"),
        ({"keep": 1.5}, r"keep is 1\.5"),
    ],
)
def test_limits_of_no_use_are_named(settings, culprit):
    with pytest.raises(ConfigurationException, match=rf"\[log\] {culprit}"):
        Config.of({"log": settings})
