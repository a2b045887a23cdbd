"""Foreign names: a stranger's module that shadows a package is named, with the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import zodb_relay
from tests.places import ROOT

COMMANDS = {
    "indico_scheduler": zodb_relay.scheduler,
    "indico_livesync": zodb_relay.livesync,
    "indico_export": zodb_relay.export,
}
SCRIPT = Path(zodb_relay.__file__)


def run_command(name, folder):
    """Run the console script *name* in *folder*, which is on PYTHONPATH."""
    code = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('zodb_relay', {str(SCRIPT)!r}); "
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        f"sys.argv = [{name!r}, '--help']; sys.exit(module.{COMMANDS[name].__name__}())"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("package", ["scheduler", "daemon", "export"])
def test_a_command_names_the_file_that_shadows_a_package(tmp_path, command, package):
    (tmp_path / f"{package}.py").write_text("")
    ended = run_command(command, tmp_path)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert f"{tmp_path / package}.py shadows the package {package!r}" in line
    assert "rename it" in line


def test_a_foreign_package_shadows_as_a_module_does(tmp_path):
    (tmp_path / "daemon").mkdir()
    (tmp_path / "daemon" / "__init__.py").write_text("")
    ended = run_command("indico_scheduler", tmp_path)
    assert ended.returncode == 2
    assert "daemon/__init__.py shadows the package 'daemon'" in ended.stderr


def test_a_command_runs_where_nothing_shadows_its_packages(tmp_path):
    (tmp_path / "tasks.py").write_text("")
    (tmp_path / "export").mkdir()  # without a module in it, it shadows nothing
    ended = run_command("indico_export", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_worker_started_in_the_folder_of_a_stranger_uses_the_installed_packages(
    tmp_path, monkeypatch
):
    for name in ("scheduler", "export"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    code = (
        "from scheduler import Client, Scheduler\n"
        "import os, threading, transaction\n"
        "from scheduler.store import open_database\n"
        f"database = open_database('file://{tmp_path}/data.fs')\n"
        "connection = database.open()\n"
        "task = Client(connection).call(len, 'abc')\n"
        "transaction.commit()\n"
        "own = Scheduler(database=database, multitask_mode='processes', workers=1)\n"
        "thread = threading.Thread(target=own.run)\n"
        "thread.start()\n"
        "while task.getStatus() != 6: transaction.begin(); import time; time.sleep(0.05)\n"
        "Client(connection).shutdown(); transaction.commit(); thread.join()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_short_command_ends_without_a_look_at_all_that_was_imported(tmp_path, command):
    code = (
        "import atexit, gc, sys, zodb_relay; "
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000)); "
        f"sys.argv = [{command!r}, '--version']; zodb_relay.{COMMANDS[command].__name__}()"
    )
    path = f"{ROOT / 'etc'}:{ROOT}"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.stdout.splitlines()[1:] == ["True True"], ended.stderr
