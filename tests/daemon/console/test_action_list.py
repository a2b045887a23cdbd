from __future__ import annotations

from daemon.console import action_list
from daemon.console.action_list import actions_of
from scheduler.store import transact


def test_the_newest_actions_are_kept_in_their_order(database, monkeypatch):
    monkeypatch.setattr(action_list, "KEPT", 3)
    for number in range(5):
        transact(database, lambda found, n=number: actions_of(found).note("ann", "do", f"{n}"))
    kept = transact(database, lambda found: [*actions_of(found).newest()])
    assert [entry.text for entry in kept] == ["4", "3", "2"]
    assert {(entry.user, entry.action) for entry in kept} == {("ann", "do")}
