"""A command that looks makes no database, and says where it has looked.

Covers `scheduler.store.existence`, `scheduler.values.own_version`.
"""

from __future__ import annotations

import pytest

from daemon.cli.main import main as scheduler
from export.cli.main import main as export
from livesync.cli.main import main as livesync
from scheduler.store import open_database

SCHEDULER, LIVESYNC, EXPORT = "daemon.cli.main", "livesync.cli.main", "export.cli.main"
MAIN = {SCHEDULER: scheduler, LIVESYNC: livesync, EXPORT: export}
LOOKS = [
    *((SCHEDULER, words) for words in ("show status", "show task 1", "stop", "check -q", "undo 1")),
    *((SCHEDULER, words) for words in ("cmd clear_spool", "cmd retry --all", "reload", "run 1")),
    *((LIVESYNC, words) for words in ("list", "agents", "agent a run", "granularity", "escaped")),
    *((EXPORT, words) for words in ("user list", "room show 1", "user block ann")),
]


@pytest.fixture
def look(tmp_path, monkeypatch, capsys):
    """Run a command here, in the folder `here`; return its exit status and its line on stderr."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("SCHEDULER_DATABASE", raising=False)

    def run(module, *arguments):
        status = MAIN[module](arguments)
        done = capsys.readouterr()
        assert done.out == ""
        assert len(done.err.splitlines()) == 1
        return status, done.err

    return run


@pytest.mark.parametrize(("module", "words"), LOOKS, ids=lambda value: value.replace(" ", "-"))
def test_a_look_into_an_empty_folder_names_the_path_and_leaves_nothing(
    look, tmp_path, module, words
):
    status, line = look(module, *words.split())
    assert status == 1
    assert f"there is no database at {tmp_path}/here/var/relay.fs: " in line
    assert list((tmp_path / "here").iterdir()) == []


def test_a_process_that_looks_leaves_nothing(command, tmp_path):
    done = command("check", "-q")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no database at {tmp_path}/var/relay.fs: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_a_zconfig_file_or_of_sqlite_is_not_made_either(look, tmp_path):
    zconfig = tmp_path / "zodb.conf"
    zconfig.write_text(
        f"<zodb>\n<filestorage>\npath {tmp_path}/here/data.fs\nblob-dir {tmp_path}/here/blobs\n"
        "</filestorage>\n</zodb>\n"
    )
    for uri, file in (
        (f"zconfig://{zconfig}", "data.fs"),
        (f"sqlite://?data_dir={tmp_path}/here/lite", "lite/main.sqlite3"),
    ):
        status, line = look(SCHEDULER, "show", "status", "--database", uri)
        assert status == 1
        assert f"there is no database at {tmp_path}/here/{file}" in line
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize(
    "uri",
    [
        "zeo://ann:hush/hush@127.0.0.1:1?wait_timeout=1",
        "zeo://127.0.0.1:1?wait_timeout=1&username=ann&password=hush",
        "postgresql://ann:hush@127.0.0.1:1/relay",
        "postgresql://ann:hush%zz@127.0.0.1:1/relay",
    ],
)
def test_a_server_that_is_away_is_named_in_one_line_without_its_password(look, tmp_path, uri):
    status, line = look(SCHEDULER, "show", "status", "--database", uri)
    assert status == 1
    assert "hush" not in line
    assert "127.0.0.1" in line or "***" in line
    assert list((tmp_path / "here").iterdir()) == []


def test_a_look_into_an_empty_database_of_postgresql_makes_no_tables(look, postgres_uri):
    for _ in range(2):
        status, line = look(SCHEDULER, "show", "status", "--database", postgres_uri)
        assert status == 1
        assert "holds no objects" in line
    open_database(postgres_uri).close()
    assert scheduler(("show", "status", "--database", postgres_uri)) == 0


def test_a_first_setting_makes_the_database(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/relay.fs")
    assert livesync(("granularity", "5")) == 0
    assert capsys.readouterr().out == "5 seconds\n"
    assert (tmp_path / "relay.fs").is_file()


@pytest.mark.parametrize("main", MAIN.values(), ids=MAIN)
def test_each_command_tells_its_version(main, capsys):
    with pytest.raises(SystemExit) as ended:
        main(("--version",))
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("zodb-relay ")
