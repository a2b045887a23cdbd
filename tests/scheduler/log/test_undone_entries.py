"""What a log has told, and an undo by ZODB has taken back."""

from __future__ import annotations

import pytest

from scheduler.log.append_log import AppendLog
from scheduler.log.segment import FEW, PAGE


@pytest.fixture
def lanes(view):
    lanes = view.root["lanes"] = AppendLog()
    view.commit()
    lanes.append(("first",))
    view.commit()
    return lanes


def append(view, lanes, *names):
    for name in names:
        lanes.append((name,))
        view.manager.get().note(str(name))
        view.commit()


def drain(view, lanes):
    entries = [name for (name,) in lanes.drain()]
    view.commit()
    return entries


def undo(view, name):
    (info,) = [i for i in view.database.undoLog(0, 10**6) if i["description"] == str(name)]
    view.database.undo(info["id"], view.manager.get())
    view.commit()
    view.refresh()


def revoked(view, lanes, **options):
    entries = [name for (name,) in lanes.revoked(**options)]
    view.commit()
    return entries


def test_an_entry_of_an_undone_transaction_is_told_once(view, lanes):
    append(view, lanes, "a")
    drain(view, lanes)
    undo(view, "a")
    assert revoked(view, lanes) == ["a"]
    assert revoked(view, lanes) == []


def test_entries_recorded_afterwards_are_read(view, lanes):
    append(view, lanes, "a")
    drain(view, lanes)
    undo(view, "a")
    append(view, lanes, "b", "c")
    assert drain(view, lanes) == ["b", "c"]
    assert revoked(view, lanes, thorough=True) == ["a"]


def test_an_undo_is_possible_when_others_were_recorded_since(view, lanes):
    append(view, lanes, "a", "b")
    drain(view, lanes)
    undo(view, "a")
    assert revoked(view, lanes) == ["a"]
    append(view, lanes, "c")
    assert drain(view, lanes) == ["c"]


def test_a_page_that_is_full_can_be_undone_from(view, lanes):
    names = list(range(2 * PAGE + 3))
    append(view, lanes, *names)
    drain(view, lanes)
    undo(view, 2)
    assert revoked(view, lanes) == []
    assert revoked(view, lanes, thorough=True) == [2]


def test_a_page_that_goes_with_its_transaction_is_read_in_the_history(view, lanes):
    append(view, lanes, *range(FEW))  # the last one of them begins a page
    drain(view, lanes)
    undo(view, FEW - 1)
    assert revoked(view, lanes) == [FEW - 1]
    append(view, lanes, "next")
    assert drain(view, lanes) == ["next"]


def test_entries_that_nobody_has_read_are_not_revoked(view, lanes):
    drain(view, lanes)
    append(view, lanes, "a")
    undo(view, "a")
    assert revoked(view, lanes, thorough=True) == []
    append(view, lanes, "b")
    assert drain(view, lanes) == ["b"]
