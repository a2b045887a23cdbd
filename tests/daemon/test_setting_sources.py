"""Settings of the environment go before those of the file, and each tells where it comes from."""

from __future__ import annotations

import json
import os

import pytest

from daemon.cli.main import main
from daemon.config import Config
from daemon.errors import ConfigurationException
from scheduler.store import default_uri
from tests.docs import settings_table


@pytest.fixture
def file(tmp_path):
    written = tmp_path / "relay.toml"
    written.write_text("[scheduler]\nworkers = 3\ntask_max_tries = 7\n")
    return written


@pytest.mark.parametrize(
    ("name", "text", "setting", "value"),
    [
        ("RELAY_SCHEDULER__WORKERS", "4", "scheduler.workers", 4),
        ("RELAY_SCHEDULER__STANDBY", "true", "scheduler.standby", True),
        ("RELAY_SCHEDULER__KEEP_FINISHED", "2d", "scheduler.keep_finished", 2 * 86400),
        ("RELAY_SCHEDULER__KEEP_FAILED_COUNT", "inf", "scheduler.keep_failed_count", float("inf")),
        ("RELAY_SCHEDULER__QUEUES", "{printer = 1}", "scheduler.queues", {"printer": 1}),
        (
            "RELAY_SCHEDULER__IMPORTS",
            "shop.jobs, shop.mail",
            "scheduler.imports",
            ("shop.jobs", "shop.mail"),
        ),
        ("RELAY_SCHEDULER__IMPORTS", '["shop.jobs"]', "scheduler.imports", ("shop.jobs",)),
        ("RELAY_EXPORT__BASE_URL", "https://example.org", "export.base_url", "https://example.org"),
        ("RELAY_WEB__HOST", "10.0.0.1", "web.host", "10.0.0.1"),
        ("RELAY_LOG__FILE", "12", "log.file", "12"),
        ("RELAY_SCHEDULER__DASK_SCHEDULER", "tcp://x:1", "scheduler.dask_scheduler", "tcp://x:1"),
    ],
)
def test_a_variable_is_read_as_its_setting_is_written(monkeypatch, name, text, setting, value):
    monkeypatch.setenv(name, text)
    section, _, field = setting.partition(".")
    assert getattr(getattr(Config.load(None), section), field) == value


def test_the_environment_goes_before_the_file(monkeypatch, file):
    monkeypatch.setenv("RELAY_SCHEDULER__WORKERS", "4")
    found = Config.load(file).scheduler
    assert (found.workers, found.task_max_tries) == (4, 7)


def test_a_secret_is_read_from_a_file(monkeypatch, tmp_path):
    secret = tmp_path / "uri"
    secret.write_text("postgresql://relay:secret@db/relay\n")
    monkeypatch.setenv("RELAY_DATABASE_FILE", str(secret))
    assert Config.load(None).database == "postgresql://relay:secret@db/relay"
    monkeypatch.setenv("RELAY_DATABASE", "memory://")
    with pytest.raises(ConfigurationException, match="RELAY_DATABASE and RELAY_DATABASE_FILE"):
        Config.load(None)


def test_the_default_database_may_stand_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "uri").write_text("zeo://db:8100\n")
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)
    monkeypatch.setenv("SCHEDULER_DATABASE_FILE", str(tmp_path / "uri"))
    assert default_uri() == "zeo://db:8100"


def test_the_setting_of_the_database_holds_for_all_commands(monkeypatch, tmp_path):
    for name in ("SCHEDULER_DATABASE", "SCHEDULER_DATABASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RELAY_DATABASE", "zeo://db:8100")
    assert default_uri() == Config.load(None).database == "zeo://db:8100"
    monkeypatch.setenv("SCHEDULER_DATABASE", "zeo://other:8100")
    assert default_uri() == "zeo://other:8100"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("RELAY_SCHEDULER__WORKRES", "4", "did you mean 'RELAY_SCHEDULER__WORKERS'"),
        ("RELAY_SHCEDULER__WORKERS", "4", "did you mean 'RELAY_SCHEDULER__WORKERS'"),
        ("RELAY_SCHEDULER__WORKERS", "many", "the environment: .*workers is 'many'"),
        ("RELAY_LOG__LEVEL", "LOUD", "the environment: .*level is 'LOUD'"),
        ("RELAY_DATABASE_FILE", "/nowhere/uri", "RELAY_DATABASE_FILE: .*No such file"),
    ],
)
def test_a_variable_of_no_use_is_named(monkeypatch, name, text, message):
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationException, match=message):
        Config.load(None)


def test_variables_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("RELAY_PORT_8080_TCP", "tcp://10.0.0.1:8080")
    monkeypatch.setenv("RELAY_SERVICE_HOST", "10.0.0.1")
    assert Config.load(None) == Config()


def test_each_value_tells_where_it_comes_from(monkeypatch, capsys, file):
    monkeypatch.setenv("RELAY_SCHEDULER__WORKERS", "4")
    monkeypatch.setenv("RELAY_DATABASE", "postgresql://relay:secret@db/relay")
    assert main(["config", "show", "--json", "--config", str(file)]) == 0
    shown = capsys.readouterr().out
    found = {each["setting"]: (each["value"], each["source"]) for each in json.loads(shown)}
    assert found["scheduler.workers"] == (4, "environment")
    assert found["scheduler.task_max_tries"] == (7, "file")
    assert found["scheduler.standby"] == (False, "default")
    assert found["database"][1] == "environment"
    assert "secret" not in shown


def test_the_key_of_the_secrets_may_be_a_setting(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SCHEDULER_SECRET_KEY_FILE", "")
    monkeypatch.delenv("SCHEDULER_SECRET_KEY_FILE")
    monkeypatch.delenv("SCHEDULER_SECRET_KEY", raising=False)
    monkeypatch.setenv("RELAY_KEY_FILE", str(tmp_path / "relay.key"))
    assert main(["config", "check"]) == 0
    assert os.environ["SCHEDULER_SECRET_KEY_FILE"] == str(tmp_path / "relay.key")


def test_the_table_of_the_documents_has_each_setting():
    assert settings_table.FILE.read_text() == settings_table.text(), (
        "write it anew: python -m tests.docs.settings_table"
    )
