"""`indico_scheduler` as a command, with a daemon in the background.

Covers `scheduler.values.named_object`, `daemon.process.background`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

import httpx
import psutil
import pytest
import transaction

from scheduler import Client, SchedulerModule, nowutc
from scheduler.store import connect, open_database
from scheduler.tasks import OneShotTask, SampleOneShotTask
from scheduler.values.rate_limit import Limit
from tests.waiting import wait_for

CONFIG = "[web]\nport = 0\n"


@pytest.fixture
def daemon(command, tmp_path):
    """A daemon in the background: its pid and the address of its front end."""
    (tmp_path / "relay.toml").write_text(CONFIG)
    uri = f"file://{tmp_path}/var/relay.fs"
    done = command("start", "--config", "relay.toml", "--database", uri)
    assert done.returncode == 0, done.stderr
    pid, url = done.stdout.split()
    yield int(pid), url
    if psutil.pid_exists(int(pid)):
        family = [psutil.Process(int(pid)), *psutil.Process(int(pid)).children(recursive=True)]
        os.kill(int(pid), signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)


@pytest.fixture
def stored(tmp_path):
    """Enqueue a task in the default database of tmp_path; return its number."""

    def store(task):
        with connect(f"file://{tmp_path}/var/relay.fs") as connection:
            Client(connection).enqueue(task)
            transaction.commit()
            return task.getId()

    return store


class Refuses(OneShotTask):
    def run(self):
        raise RuntimeError("not today")


def test_start_says_only_when_it_is_up_and_stop_only_when_it_is_down(daemon, command):
    pid, url = daemon
    assert httpx.get(f"{url}/health").text == "ok\n"
    assert os.getsid(pid) == pid
    check = command("check")
    assert check.returncode == 0
    assert check.stdout == f"{pid}\n"
    assert f"pid={pid}" in check.stderr
    assert "Process status:  running=True" in check.stderr

    again = command("start", "--config", "relay.toml")
    assert again.returncode == 255
    assert again.stdout == "The daemon seems to be already running (consider -f?)\n"

    stop = command("stop")
    assert stop.stdout == "Waiting for death confirmation... DONE!\n"
    assert stop.returncode == 0
    wait_for(lambda: not psutil.pid_exists(pid), what="the daemon's end")
    assert command("check", "-q").returncode == 1
    second = command("stop")
    assert second.returncode == 255
    assert "The daemon doesn't seem to be running (consider -f?)" in second.stdout


def test_the_list_of_processes_does_not_show_the_database_of_a_daemon(daemon, tmp_path):
    process = psutil.Process(daemon[0])
    for each in (process, *process.children(recursive=True)):
        assert "relay.fs" not in " ".join(each.cmdline())


def test_files_of_a_daemon_are_its_users_alone(daemon, tmp_path):
    found = [tmp_path / "var", *(tmp_path / "var").rglob("*")]
    assert {each.name for each in found} >= {"relay.fs", "relay.log", "relay.fs.lock"}
    assert [each.name for each in found if each.lstat().st_mode & 0o077] == []


def test_a_daemon_stands_by_and_takes_over(daemon, command, tmp_path):
    pid, _ = daemon
    refused = command("start", "--config", "relay.toml")
    assert refused.returncode == 255
    started = command("start", "--config", "relay.toml", "--standby")
    assert started.returncode == 0, started.stderr
    second, url = started.stdout.split()
    try:
        assert f"with pid {second}, seen" in command("show", "status").stdout
        assert f"pid {second}" in httpx.get(url, timeout=200).text
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: command("check").stdout == f"{second}\n", what="the taking over")
        facts = json.loads(command("show", "status", "--json").stdout)
        assert (facts["pid"], facts["standbys"]) == (int(second), [])
        assert command("stop").returncode == 0
    finally:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(int(second)).kill()


def test_a_daemon_that_was_killed_is_seen_to_be_dead_and_another_can_start(daemon, command):
    pid, _ = daemon
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid), what="the daemon's end")
    check = command("check")
    assert check.returncode == 1
    assert "Marking dead scheduler as not running" in check.stderr
    assert "Scheduler is currently NOT running" in command("show", "status").stdout


def test_a_task_is_run_by_the_daemon_in_the_background(daemon, command, stored):
    stored(SampleOneShotTask(nowutc()))
    wait_for(lambda: "Finished: 1" in command("show", "status").stdout, what="the task's end")


def test_the_spool_is_shown_and_cleared(command, stored):
    number = stored(SampleOneShotTask(nowutc()))
    shown = command("show", "spool")
    assert shown.stdout == f"add [SampleOneShotTask:{number}|SP]\n"
    assert f"{number}    spooled" in command("show", "tasks").stdout
    assert command("cmd", "clear_spool").stdout == "1 operations removed\n"
    assert command("show", "spool").stdout == ""


def test_run_runs_a_task_here_and_leaves_its_state(command, stored):
    number = stored(SampleOneShotTask(nowutc()))
    assert command("run", str(number)).returncode == 0
    assert "|SP]" in command("show", "spool").stdout


def test_a_task_that_fails_by_hand_changes_nothing_and_says_why(command, stored):
    number = stored(Refuses(nowutc()))
    done = command("run", str(number))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("nothing is changed: RuntimeError: not today")


def test_an_unknown_task_is_named(command, stored):
    stored(SampleOneShotTask(nowutc()))
    done = command("run", "999999")
    assert done.returncode == 1
    assert "there is no task 999999" in done.stderr


def test_no_command_at_all_is_wrong_usage(command):
    assert command().returncode == 2
    assert command("start", "--unknown").returncode == 2


@pytest.mark.parametrize("arguments", [("start",), ("start", "--standalone"), ("show", "status")])
def test_a_foreign_database_file_is_refused_in_one_line_and_left_alone(
    arguments, command, tmp_path
):
    foreign = tmp_path / "letter.txt"
    foreign.write_text("Dear reader, this is no database.\n" * 50)
    done = command(*arguments, "--database", f"file://{foreign}")
    assert done.returncode == 1
    assert str(foreign) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert foreign.read_text().startswith("Dear reader")


def test_an_unknown_setting_stops_the_start_and_is_named(command, tmp_path):
    (tmp_path / "relay.toml").write_text("[scheduler]\nworker = 3\n")
    done = command("start", "--config", "relay.toml")
    assert done.returncode == 1
    assert "unknown option 'worker'; did you mean 'workers'?" in done.stderr
    assert "relay.toml" in done.stderr


def test_a_daemon_that_cannot_start_in_the_background_says_why(command, tmp_path):
    (tmp_path / "relay.toml").write_text('[web]\nhost = "192.0.2.1"\n')
    done = command("start", "--config", "relay.toml")
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr


@pytest.mark.parametrize("arguments", [("-f", "stop"), ("stop", "-f")])
def test_to_insist_may_be_said_before_a_command_or_behind_it(command, tmp_path, arguments):
    open_database(f"file://{tmp_path}/var/relay.fs").close()
    assert command("stop").returncode == 255
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (0, "Waiting for death confirmation... DONE!\n")


def test_the_queues_are_shown_with_their_limits(command, tmp_path):
    with connect(f"file://{tmp_path}/var/relay.fs") as connection:
        module = SchedulerModule.getDBInstance(connection)
        module.backlog.limit("mail", Limit(at_once=2, rate=100, period=60))
        transaction.commit()
    done = command("show", "queues", "--json")
    (mail,) = json.loads(done.stdout)
    assert mail == {
        **{"queue": "mail", "waiting": 0, "running": 0, "atOnce": 2, "rate": 100, "period": 60},
        "paused": False,
    }
    assert "mail" in command("show", "queues").stdout


def test_a_daemon_without_descriptors_says_in_a_line_how_to_give_it_more(tmp_path):
    (tmp_path / "relay.toml").write_text(CONFIG)
    start = f"{sys.executable} -m daemon.cli.main start --standalone --config relay.toml"
    ended = subprocess.run(
        ["sh", "-c", f"ulimit -n 12; exec {start} --database file://{tmp_path}/data.fs"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "Too many open files: allow more (`ulimit -n`" in ended.stderr
    assert "OSError" not in ended.stderr
