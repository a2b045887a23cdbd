"""Shells complete the words of the commands: each shell itself is asked, as its user would.

Covers `scheduler.values.completion`.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from daemon.cli.arguments import parser as scheduler
from export.cli.main import _parser as export
from livesync.cli.main import _parser as livesync
from tests.waiting import DEADLINE

PARSERS = {"daemon.cli.main": scheduler, "livesync.cli.main": livesync, "export.cli.main": export}
NAMES = {make().prog: module for module, make in PARSERS.items()}
ASKED = [
    ("indico_scheduler sho", "show"),
    ("indico_scheduler show ta", "tasks"),
    ("indico_scheduler show tasks --sta", "--state"),
    ("indico_scheduler show tasks --state quar", "quarantined"),
    ("indico_scheduler db copy --new-e", "--new-epoch"),
    ("indico_scheduler start --config rel", "relay.toml"),
    ("indico_livesync agent invenio pau", "pause"),
    ("indico_livesync agent invenio export --an", "--anew"),
    ("indico_livesync dead ret", "retry"),
    ("indico_export user cre", "create"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with the script of each command where the documents have each shell look for it."""
    home = tmp_path_factory.mktemp("home")
    for folder in ("bin", ".zfunc", "bash", ".config/fish/completions"):
        (home / folder).mkdir(parents=True)
    for name, module in NAMES.items():
        (home / "bin" / name).write_text("#!/bin/sh\n")
        (home / "bin" / name).chmod(0o700)
        (home / ".zfunc" / f"_{name}").write_text(script(module, "zsh"))
        (home / "bash" / name).write_text(script(module, "bash"))
        (home / f".config/fish/completions/{name}.fish").write_text(script(module, "fish"))
    (home / ".zshrc").write_text(
        "fpath=(~/.zfunc $fpath)\nPS1='ready> '\nautoload -Uz compinit\ncompinit -u -D\n"
    )
    (home / "relay.toml").touch()
    return home


def script(module, shell):
    command = [sys.executable, "-m", module, "--completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def surroundings(home):
    path = f"{home}/bin:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell}")


@needs("bash")
@pytest.mark.parametrize(("typed", "wanted"), ASKED)
def test_bash_completes_words(home, typed, wanted):
    words = typed.split(" ")
    ask = (
        f"source {home}/bash/{words[0]}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
        f'_shtab_{words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "-c", ask], cwd=home, env=surroundings(home), capture_output=True, text=True
    )
    assert wanted in done.stdout.split()
    assert done.stderr == ""


@needs("fish")
@pytest.mark.parametrize(("typed", "wanted"), ASKED)
def test_fish_completes_words(home, typed, wanted):
    ask = ["fish", "-c", f"complete -C '{typed}'"]
    done = subprocess.run(ask, cwd=home, env=surroundings(home), capture_output=True, text=True)
    assert wanted in [line.partition("\t")[0] for line in done.stdout.splitlines()]
    assert done.stderr == ""


@needs("fish")
def test_fish_offers_the_commands_of_an_agent_behind_its_id_only(home):
    offered = {}
    for typed in ("indico_livesync agent ", "indico_livesync agent invenio "):
        done = subprocess.run(
            ["fish", "-c", f"complete -C '{typed}'"],
            cwd=home,
            env=surroundings(home),
            capture_output=True,
            text=True,
        )
        offered[typed] = "rewind" in done.stdout
    assert [*offered.values()] == [False, True]


@needs("zsh")
@pytest.mark.parametrize(("typed", "wanted"), ASKED)
def test_zsh_completes_words_on_a_terminal(home, typed, wanted):
    with Terminal(home) as terminal:
        terminal.until("ready> ")
        terminal.type(f"{typed}\t\t")
        terminal.until(rf"(?<!\S){re.escape(wanted)}(?![\w-])")


class Terminal:
    """A zsh on a terminal of its own."""

    def __init__(self, home):
        self._text = ""
        pid, self._side = pty.fork()
        if pid == 0:
            os.chdir(home)
            os.execvpe("zsh", ["zsh", "-i"], surroundings(home))  # noqa: S606 (a shell is meant)
        self._pid = pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._side)
        os.waitpid(self._pid, 0)

    def type(self, text):
        os.write(self._side, text.encode())

    def until(self, pattern):
        """Read until there is *pattern*, without the sequences that move the cursor."""
        deadline = time.monotonic() + DEADLINE
        while not re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]", "", self._text)):
            assert time.monotonic() < deadline, self._text
            if select.select([self._side], [], [], 0.1)[0]:
                self._text += os.read(self._side, 65536).decode(errors="replace")
