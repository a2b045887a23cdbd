"""Databases of each layout are opened, and what stands in them is gone on with.

The paths of stored classes, and `scheduler.store.moved` beside them.
"""

from __future__ import annotations

import json
from datetime import timedelta
from importlib import import_module
from operator import attrgetter

import pytest

from livesync import SyncManager
from scheduler.store import open_database, transact
from scheduler.store.moved import MOVED, current_path
from tests.layout import stored_paths
from tests.layout.__main__ import answers_of, make, names, unpack
from tests.layout.sample import NOW, answers
from tests.scheduler.harness import View, running

RUN_LATER = {
    *("narrow 0", "narrow 1", "narrow 2", "slow 0", "once", "coloured", "announced"),
    *("first", "second", "a", "b", "after both", "patrol", "hour", "beat", "running"),
    *("spooled 0", "spooled 1", "spooled 2", "after the delivery", "odd"),
}
NEVER_RUN = {"too late", "paused", "cancelled", "undo the first", "undo the second"}


def shown(paths):
    return ", ".join(sorted(":".join(path) for path in paths))


def exists(path):
    module, name = current_path(*path)
    try:
        attrgetter(name)(import_module(module))
    except (ImportError, AttributeError):
        return False
    return True


def test_each_pinned_path_leads_to_a_class_or_a_function():
    gone = {path for path in stored_paths.pinned() if not exists(path)}
    assert gone == set(), (
        f"databases have {shown(gone)}, which is not there any more: give its new path in MOVED of "
        "scheduler/store/moved.py (see CONTRIBUTING.md, Stored class paths)"
    )


def test_each_moved_path_is_pinned_with_its_new_one():
    paths = {*MOVED, *MOVED.values()}
    assert paths <= stored_paths.pinned()


def test_each_path_that_can_be_stored_is_pinned(tmp_path, relay_clock):
    make(tmp_path / "data.fs", relay_clock)
    found = stored_paths.of_classes() | stored_paths.in_database(tmp_path / "data.fs")
    new = found - stored_paths.pinned()
    assert new == set(), (
        f"{shown(new)} can be stored and is not in tests/layout/paths.txt: if it is to keep this "
        "path for good, run `python -m tests.layout` and commit the list"
    )


@pytest.fixture(params=names())
def layout(request, tmp_path):
    """The name of a layout, of whose database there is a copy in *tmp_path*."""
    unpack(request.param, tmp_path / "data.fs")
    return request.param


@pytest.fixture
def database(layout, tmp_path, relay_clock):
    relay_clock.now = NOW
    database = open_database(f"file://{tmp_path}/data.fs")
    yield database
    database.close()


def test_the_export_of_a_stored_layout_answers_as_it_did(database, layout):
    known = json.loads(answers_of(layout).read_text())
    found = answers(database, known["tokens"])
    assert holds(found, known["answers"]), (
        f"the answers about the database of layout {layout} are not as they were; if they were "
        "changed on purpose, run `python -m tests.layout --answers` and look at the differences"
    )


def holds(found, known):
    """Say whether *found* has everything that is *known*, and may have more keys."""
    if isinstance(known, dict) and isinstance(found, dict):
        return all(key in found and holds(found[key], known[key]) for key in known)
    if isinstance(known, list) and isinstance(found, list):
        return len(found) == len(known) and all(map(holds, found, known))
    return found == known


def test_a_scheduler_goes_on_with_a_stored_layout(database, tmp_path, relay_clock):
    transact(database, lambda own: send_to(own, tmp_path / "folder"))
    relay_clock.now = NOW + timedelta(hours=2)
    view = View(database)
    with running(database, workers=1):
        view.until(lambda: set(view.root["noted"]) >= RUN_LATER)
    assert set(view.root["noted"]) & NEVER_RUN == set()
    sent = "".join(file.read_text() for file in (tmp_path / "folder").glob("*.json"))
    assert '"555"' in sent
    view.close()


def send_to(connection, folder):
    SyncManager.getDBInstance(connection).getAgent("folder")._folder = str(folder)
