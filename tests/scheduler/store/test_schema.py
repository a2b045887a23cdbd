"""Branches: planted, upgraded, refused."""

from __future__ import annotations

import pytest
from persistent.mapping import PersistentMapping

from scheduler.errors import SchemaTooNew
from scheduler.store import (
    Schema,
)
from scheduler.store.schema import ROOT_KEY

FIRST = Schema("part", 1, PersistentMapping)


def test_a_branch_is_planted_once(view, open_view):
    trunk = FIRST.get(view.connection)
    trunk["x"] = 1
    view.commit()
    assert FIRST.get(open_view().connection)["x"] == 1


def test_planting_is_no_part_of_the_callers_transaction(view, open_view):
    FIRST.get(view.connection)
    view.manager.abort()
    assert "part" in open_view().root[ROOT_KEY]


def test_planting_joins_a_transaction_that_has_changes(view, open_view):
    view.root["x"] = 1
    FIRST.get(view.connection)["y"] = 2
    view.commit()
    assert FIRST.get(open_view().connection)["y"] == 2


def test_first_users_at_once_do_not_conflict(view, open_view):
    other = open_view()
    FIRST.get(view.connection)["x"] = 1
    trunk = FIRST.get(other.connection)
    view.commit()
    other.commit()
    other.refresh()
    assert trunk["x"] == 1


def test_an_older_layout_is_upgraded_step_by_step(view, open_view):
    FIRST.get(view.connection)["steps"] = ()
    view.commit()

    def step(number):
        return lambda trunk: trunk.update(steps=(*trunk["steps"], number))

    third = Schema("part", 3, PersistentMapping, {1: step(1), 2: step(2)})
    assert third.get(view.connection)["steps"] == (1, 2)
    assert open_view().root[ROOT_KEY]["part"][0] == 3


def test_a_newer_layout_is_refused(view):
    Schema("part", 4, PersistentMapping).get(view.connection)
    with pytest.raises(SchemaTooNew, match=r"version 4.*install"):
        FIRST.get(view.connection)
