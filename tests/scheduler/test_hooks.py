"""Hooks hear of the life of tasks, and their faults hurt nobody.

Covers `scheduler.runtime.application`, `scheduler.runtime.hook_registry`,
`scheduler.tasks.hooks`, `scheduler.worker.ending`.
"""

from __future__ import annotations

import logging

import pytest
import transaction

from scheduler import Scheduler, SchedulerModule, nowutc
from scheduler.errors import SchedulerConfigurationException
from scheduler.hooks import Hooks, add, remove
from scheduler.runtime.hook_registry import REGISTRY, HookRegistry
from tests.scheduler.harness import running
from tests.scheduler.sample_hooks import Broken, Failing, Leaving, Recording, Suicide, Within
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def hooks_as_they_were(monkeypatch):
    monkeypatch.setattr(REGISTRY, "_hooks", [])
    monkeypatch.setattr(REGISTRY, "_names", set())
    monkeypatch.setattr(REGISTRY, "_failed", set())


@pytest.fixture
def recording():
    hook = Recording()
    add(hook)
    return hook


@pytest.fixture(params=[Broken, Leaving])
def faulty(request):
    hook = request.param()
    add(hook)
    return hook


def test_an_attempt_that_succeeds_is_heard_of_from_enqueue_to_success(relay, recording):
    relay.enqueue(Within(nowutc()))
    relay.run_due()
    assert recording.heard == [
        ("enqueue", "Within"),
        ("before", "Within"),
        ("success", "tests.scheduler.sample_hooks.Within", 1, {"from": "the client"}),
    ]


def test_failures_are_retries_first_and_then_a_dead_letter(relay, recording):
    relay.enqueue(Failing(nowutc()))
    relay.run_due()
    relay.clock.advance(60)
    relay.run_due()
    assert recording.heard[1:] == [
        ("before", "Failing"),
        ("failure", 1, "ValueError: no luck"),
        ("retry", 1),
        ("before", "Failing"),
        ("failure", 2, "ValueError: no luck"),
        ("dead letter", 2),
    ]


def test_a_task_that_cannot_be_loaded_is_a_dead_letter_once_that_is_committed(relay, recording):
    relay.enqueue(task := Failing(nowutc()))
    module = SchedulerModule.getDBInstance(relay.connection)
    module.set_aside(task, "its class is missing")
    REGISTRY.flush()
    assert recording.heard == [("enqueue", "Failing")]
    transaction.commit()
    REGISTRY.flush()
    assert recording.heard[1:] == [("dead letter", 0)]


def test_an_enqueue_that_is_aborted_leaves_no_header(relay, recording):
    task = Within(nowutc())
    relay.client.enqueue(task)
    transaction.abort()
    assert relay.run_due() == []
    assert recording.heard == [("enqueue", "Within")]


def test_a_hook_that_fails_hurts_no_task_and_is_logged_once(relay, faulty, recording, caplog):
    for _ in range(3):
        relay.enqueue(Within(nowutc()))
    done = relay.run_due()
    assert [task.getAttempts()[-1].message for task in done] == [""] * 3
    assert [what for what, *_ in recording.heard].count("success") == 3
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert lines == sorted(set(lines), key=lines.index)
    assert f"hook tests.scheduler.sample_hooks.{type(faulty).__name__} failed in" in lines[-1]


def test_only_a_hook_can_be_registered():
    with pytest.raises(TypeError, match=r"derive its class from scheduler\.hooks\.Hooks"):
        add(object())


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["nowhere:Hook"], "'nowhere:Hook' is no hook, as module:class is: .*No module named"),
        (["tests.scheduler.sample_hooks:not_a_hook"], "does not derive from scheduler.hooks.Hooks"),
        (["tests.scheduler.sample_hooks:Nobody"], "has no attribute 'Nobody'"),
        ("a text", "hooks is 'a text'; it must be a list of the names of hooks"),
    ],
)
def test_a_hook_of_the_settings_that_cannot_be_loaded_stops_the_start(relay, names, reason):
    with pytest.raises(SchedulerConfigurationException, match=reason):
        Scheduler(database=relay.database, hooks=names).run()


def test_a_module_that_cannot_be_imported_stops_the_start(relay):
    with pytest.raises(SchedulerConfigurationException, match="imports names 'nowhere'"):
        Scheduler(database=relay.database, imports=["nowhere"]).run()


def test_hooks_of_a_distribution_are_loaded_by_their_entry_point(tmp_path, monkeypatch):
    info = tmp_path / "shop-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[zodb_relay.hooks]\nrecording = tests.scheduler.sample_hooks:Recording\n"
        "broken = nowhere:Hook\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found = HookRegistry().having("on_success")
    assert [type(each) for each in found] == [Recording]


def test_a_base_class_is_called_for_nothing():
    registry = HookRegistry()
    registry.add(Hooks())
    assert registry.having("on_success") == []


def test_a_hook_that_is_removed_hears_nothing(relay, recording):
    remove(recording)
    relay.enqueue(Within(nowutc()))
    assert recording.heard == []


def test_worker_processes_have_the_hooks_of_the_settings(database, view, tmp_path, monkeypatch):
    heard = tmp_path / "heard.txt"
    monkeypatch.setenv("HEARD", str(heard))
    names = ["tests.scheduler.sample_hooks:Recording"]
    with running(database, multitask_mode="processes", workers=1, hooks=names):
        view.enqueue(Within(nowutc()), Suicide(nowutc()))
        wait_for(lambda: "dead letter" in heard.read_text() if heard.exists() else False)
        wait_for(lambda: "worker lost" in heard.read_text())
    lines = heard.read_text().splitlines()
    assert "worker lost was killed by SIGKILL" in lines
    assert "failure 1 the worker died while it ran this task" in lines
    assert [line for line in lines if line.startswith("success")]
