"""The demonstration as people start it.

Covers `daemon.demo.main`, `daemon.demo.receiver`, `daemon.demo.sample`, `daemon.web.shipped_docs`.
"""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from daemon.web.shipped_docs import shipped
from tests.daemon.conftest import DEADLINE, environment
from tests.waiting import wait_for


def sent(folder):
    return "".join(file.read_text() for file in (folder / "var" / "feed").glob("*.xml"))


def test_the_demonstration_shows_the_whole_way_and_ends_on_ctrl_c(start_demo, tmp_path):
    demo = start_demo()
    demo.wait_until_up()
    wait_for(lambda: "Packing without stopping" in sent(tmp_path), what="a record in the folder")
    wait_for(lambda: "received 1.7" in demo.text, what="a record at the receiver")
    wait_for(lambda: "Described by a task" in demo.text, what="the one-shot task's change")

    page = demo.get("/").text
    assert "leading" in page
    assert "webhook" in page
    assert demo.get("/health").text == "ok\n"
    answer = demo.get("/export/event/1.json?detail=contributions").json()
    assert answer["results"][0]["title"] == "Days of the Object Database"
    assert len(answer["results"][0]["contributions"]) == 8
    assert demo.get("/docs/operations.md").status_code == 200
    assert demo.get("/docs/../pyproject.toml").status_code == 404

    family = demo.family()
    assert demo.end() == 0
    assert not [process for process in family if process.is_running()]
    assert "Traceback" not in demo.text


def test_the_commands_that_it_prints_work_as_printed(start_demo, tmp_path):
    demo = start_demo()
    demo.wait_until_up()
    printed = demo.text.partition("second terminal")[2].partition("Ctrl-C")[0]
    lines = [line.strip() for line in printed.splitlines()[1:] if line.strip()]
    assert len(lines) == 4
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for line in lines:
        assert re.sub(r"\S+/(\.venv|docs/examples)/", r"\1/", line) in readme
    outputs = []
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, (shlex.join([line]), done.stderr)
        outputs.append(done.stdout)
    assert "enqueued task" in outputs[0]
    assert "'A new title'" in outputs[1]
    assert "title_changed" in outputs[2]
    assert "Scheduler is currently running on" in outputs[3]
    wait_for(lambda: "event changed: A new title" in demo.text, what="the change at the receiver")
    assert demo.end() == 0


def test_after_sigkill_the_next_start_goes_on_and_nothing_is_lost(start_demo, tmp_path):
    demo = start_demo()
    demo.wait_until_up()
    wait_for(lambda: "received 1.7" in demo.text, what="the first records")
    family = demo.kill()
    assert not [process for process in family if process.is_running()]
    change = [sys.executable, shipped("docs/examples") / "change_event.py", "After"]
    subprocess.run(change, cwd=tmp_path, env=environment(tmp_path), timeout=DEADLINE, check=True)

    again = start_demo()
    again.wait_until_up()
    wait_for(lambda: "event changed: After" in again.text, what="the change made while it was dead")
    assert not re.search(r"received 1\.\d", again.text), "what was delivered comes again"
    assert again.end() == 0


def test_a_port_in_use_is_left_for_the_next_one_and_it_says_so(start_demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = start_demo("--port", str(port))
        url = demo.wait_until_up()
        assert not url.endswith(f":{port}")
        assert f"Port {port} is taken" in demo.text
        assert demo.end() == 0


def test_memory_is_no_place_for_the_demonstration(command):
    done = command("demo", "--database", "memory://")
    assert done.returncode == 1
    assert "memory forgets" in done.stderr


def test_a_second_one_on_the_same_database_is_refused_with_one_line(start_demo, command):
    first = start_demo()
    first.wait_until_up()
    second = command("demo", "--port", "0")
    assert second.returncode == 1
    assert "Everything is running" not in second.stdout
    assert f"with pid {first.process.pid}: stop it first" in second.stderr
    assert "Traceback" not in second.stderr
