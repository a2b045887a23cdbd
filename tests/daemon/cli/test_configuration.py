"""`indico_scheduler config`: settings are shown with their source, and a bad one is named.

Covers `daemon.cli.parser`.
"""

from __future__ import annotations

import json

import pytest

from daemon.cli.main import main
from daemon.config import Config


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)
    return tmp_path


def shown(capsys, *arguments):
    assert main(("config", "show", "--json", *arguments)) == 0
    return {row["setting"]: row for row in json.loads(capsys.readouterr().out)}


def test_each_setting_is_shown_with_its_source(here, monkeypatch, capsys):
    monkeypatch.setenv("SCHEDULER_DATABASE", "postgresql://ann:hush@db/relay")
    (here / "relay.toml").write_text("[scheduler]\nworkers = 4\n[web]\nport = 8080\n")
    found = shown(capsys, "--config", "relay.toml", "-p")
    assert found["database"] == {
        **{"setting": "database", "value": "postgresql://ann:***@db/relay"},
        "source": "environment",
    }
    assert (found["scheduler.workers"]["value"], found["scheduler.workers"]["source"]) == (
        4,
        "file",
    )
    assert found["web.port"]["source"] == "file"
    assert found["web.host"]["source"] == "default"
    found = shown(capsys, "--database", "zeo://db?username=ann&password=hush")
    assert found["database"]["source"] == "option"
    assert "hush" not in str(found)
    assert sorted(here.iterdir()) == [here / "relay.toml"]


def test_a_table_is_for_people(here, capsys):
    assert main(("config", "show")) == 0
    heads, database, *_ = capsys.readouterr().out.splitlines()
    assert heads.split() == ["setting", "value", "from"]
    assert str(here / "var/relay.fs") in database
    assert database.endswith("default")


def test_the_defaults_are_a_file_of_settings(here, capsys):
    assert main(("config", "defaults")) == 0
    (here / "relay.toml").write_text(capsys.readouterr().out)
    assert Config.read("relay.toml") == Config()
    assert main(("config", "check", "--config", "relay.toml")) == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[scheduler]\nworker = 4\n", "unknown option 'worker'; did you mean 'workers'?"),
        ("[shceduler]\nworkers = 4\n", "unknown option 'shceduler'; did you mean 'scheduler'?"),
        ("[web]\nport = 'x'\n", "[web] port is 'x'"),
        ("[web\n", "relay.toml"),
    ],
)
def test_a_bad_setting_is_named(here, capsys, text, named):
    (here / "relay.toml").write_text(text)
    assert main(("config", "check", "--config", "relay.toml")) == 1
    assert named in capsys.readouterr().err
