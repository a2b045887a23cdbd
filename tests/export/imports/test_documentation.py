"""What docs/importing.md shows, done as its reader would."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from export.cli.main import main
from tests.export.imports.conference.test_schedule import XML
from tests.places import DOCS, SMALL_EVENT

DOCUMENT = (DOCS / "importing.md").read_text()
TEA = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tea//EN\nX-A:1\nX-B:1\nX-C:1\nBEGIN:VEVENT\nUID:1\n"


def test_the_commands_say_what_the_document_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/data.fs")
    Path("event.json").write_bytes(SMALL_EVENT.read_bytes())
    Path("schedule.xml").write_text(XML)
    Path("tea.ics").write_text(f"{TEA}SUMMARY:Tea\nEND:VEVENT\nEND:VCALENDAR\n")
    commands = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)
    for command, expected in zip(commands, shown, strict=True):
        main(shlex.split(command)[1:])
        said = capsys.readouterr()
        assert said.out + said.err == expected
