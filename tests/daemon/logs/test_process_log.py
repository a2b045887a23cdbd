"""The log: closed to others, and a line for each event."""

from __future__ import annotations

import logging
import os
import stat

import pytest

from daemon.logs.process_log import log_to


@pytest.fixture
def root_logger():
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_the_log_is_closed_to_others_also_where_it_is_there(root_logger, tmp_path):
    folder = tmp_path / "var"
    log_to(str(folder / "relay.log"), logging.INFO)
    (rotated,) = [folder / "relay.log.2026-01-01"]
    rotated.touch()
    (folder / "relay.log").chmod(0o644)
    log_to(str(folder / "relay.log"), logging.INFO)
    root_logger.handlers[0].doRollover()
    root_logger.info("next day")
    found = [folder, *folder.iterdir()]
    assert len(found) >= 3
    assert [each.name for each in found if stat.S_IMODE(each.stat().st_mode) & 0o077] == []


def test_a_text_with_line_breaks_is_no_other_event(root_logger, tmp_path):
    log_to(str(tmp_path / "relay.log"), logging.INFO)
    forged = "x\n2026-01-01 00:00:00,000 1 INFO root the door is open\r\x1b[2K\u2028"
    logging.getLogger("test").info("asked for %s", forged)
    try:
        raise ValueError(forged)
    except ValueError:
        logging.getLogger("test").exception("failed")
    lines = (tmp_path / "relay.log").read_text().split("\n")
    assert not any(line.startswith("2026-01-01 00:00:00,000 1 INFO root") for line in lines)
    assert "\\n2026-01-01" in lines[0]
    assert "\x1b" not in lines[0]
