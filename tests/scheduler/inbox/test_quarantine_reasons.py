"""The reasons of quarantine that the document lists, each brought about."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from persistent.mapping import PersistentMapping

from scheduler import SchedulerModule, nowutc
from scheduler.tasks import OneShotTask
from tests.scheduler.harness import running
from tests.scheduler.odd_tasks import damage, passing_values
from tests.scheduler.sample_misbehaving import RaiseAlways
from tests.scheduler.sample_tasks import Noop

FAILURES = Path(__file__).parents[3] / "docs" / "failures.md"


class BadKey(Noop):
    key = 3

    def limitKey(self):
        if self.key == "exit":
            sys.exit(3)
        return self.key


def documented():
    """Return a pattern for each reason that the table lists."""
    rows = re.findall(r"^\| (`.*`)[^|]*\|[^|]+\|$", FAILURES.read_text(), re.M)
    texts = [text for row in rows for text in re.findall("`([^`]+)`", row)]
    varying = re.compile(r"\.\.\.|MODULE|NAME|\d+")
    return [".*".join(map(re.escape, varying.split(text))) for text in texts]


def changed(task, **attributes):
    for name, value in attributes.items():
        task.__dict__[name] = value
    return task


@pytest.fixture
def releases(monkeypatch):
    """A module with tasks, and what a release makes of it."""
    module = types.ModuleType("released")
    for name in ("Gone", "Function"):
        kind = type(name, (OneShotTask,), {"__module__": "released", "run": lambda self: None})
        setattr(module, name, kind)
    monkeypatch.setitem(sys.modules, "released", module)
    values = passing_values(True)
    yield module, values
    sys.modules.pop(values.__name__, None)


def test_each_reason_is_one_of_the_documented_ones(view, database, releases):
    module, values = releases
    view.root["other"] = PersistentMapping()
    view.root["runs"] = 0
    damaged = Noop(nowutc())
    key_raising = RaiseAlways(nowutc(), "conflict", "run")
    tasks = [
        module.Gone(nowutc()),
        module.Function(nowutc()),
        changed(Noop(nowutc()), member=values.Color.BLUE),
        damaged,
        changed(Noop(nowutc()), queueName=3),
        changed(Noop(nowutc()), priority="high"),
        changed(BadKey(nowutc()), keyLimit=0),
        BadKey(nowutc()),
        changed(BadKey(nowutc()), key="exit"),
        changed(Noop(nowutc()), _start_on=float("nan")),
        key_raising,
    ]
    view.client.enqueueAll(tasks)
    key_raising.where = "key"
    view.commit()
    damage(database, damaged._p_oid, view.root["other"]._p_oid, "cut to a byte")
    passing_values(False)
    del module.Gone
    module.Function = lambda: None
    view.connection.cacheMinimize()
    with running(database):
        view.until_counts(failed=len(tasks))
    patterns = documented()
    for aside in SchedulerModule.getDBInstance(view.connection).aside():
        assert any(re.search(pattern, aside.reason) for pattern in patterns), aside.reason
