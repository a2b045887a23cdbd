"""Output is coloured on a terminal, plain elsewhere, and legible everywhere.

Covers `scheduler.values.legible`.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from daemon.cli.arguments import parser as scheduler
from export.cli.main import _parser as export
from livesync.cli.main import _parser as livesync
from scheduler.values.console import as_table

PARSERS = {"daemon.cli.main": scheduler, "livesync.cli.main": livesync, "export.cli.main": export}
NAMES = {module: make().prog for module, make in PARSERS.items()}
PRINT = """
from scheduler.values.console import as_table
from scheduler.values.legible import legible_output
with legible_output():
    print(as_table(("name", "state"), [("a\\x1b[31mb\\u202e", "failed"), ("c", "?")]))
"""


def on_terminal(**more):
    """Return what a terminal gets that prints a table."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", **more}
    subprocess.run([sys.executable, "-c", PRINT], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    return os.read(ours, 10_000).decode()


def test_a_table_is_coloured_on_a_terminal_and_its_texts_stay_escaped():
    text = on_terminal()
    assert text.startswith("\x1b[1mname")
    assert "\x1b[31mfailed\x1b[0m" in text
    assert r"a\u001b[31mb\u202e" in text


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_switched_off(more):
    assert "\x1b" not in on_terminal(**more)


def test_a_table_is_plain_in_a_pipe():
    done = subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True)
    assert done.stdout.splitlines()[0].split() == ["name", "state"]
    assert "\x1b" not in done.stdout


def test_columns_are_as_wide_with_colours_as_without():
    table = as_table(("name", "state"), [("a", "failed"), ("bbbbbb", "running")])
    assert table.splitlines()[1] == "a       failed"
    assert table.styled.splitlines()[1] == "a       \x1b[31mfailed\x1b[0m"
