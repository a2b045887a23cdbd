"""Replay: an attempt of the past, run again on what it saw, and compared with what it did."""

from __future__ import annotations

from typing import NamedTuple

import transaction
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.blame import Commit, deeds_of
from scheduler.differences import Change, Describer, Difference
from scheduler.errors import NoHistory
from scheduler.states import TASK_STATUS_FINISHED
from scheduler.tasks.attempt import MESSAGE_KEPT, Attempt
from scheduler.whatif import WhatIf, try_out


class Replay(NamedTuple):
    """What a repeated attempt did, and how that differs from what it did at its time."""

    attempt: Attempt
    now: WhatIf
    message: str
    """What it fails with now, as the record of an attempt says it; empty for success."""
    differences: list[Change]
    """What the attempt committed ("before") that the repetition would not ("after")."""

    @property
    def is_alike(self) -> bool:
        """Whether the repetition did the same."""
        return self.message == self.attempt.message and not self.differences


def replay(database: DB, number: int, attempt: Attempt, is_debugged: bool = False) -> Replay:
    """Run the *attempt* of task *number* again, dry; raises as `try_out` does."""
    now = try_out(database, number, attempt, is_debugged)
    message = "" if now.error is None else f"{type(now.error).__name__}: {now.error}"[:MESSAGE_KEPT]
    differences: list[Change] = []
    if attempt.state == TASK_STATUS_FINISHED:
        differences = _differences(database, number, attempt, now)
    return Replay(attempt, now, message, differences)


def _differences(database: DB, number: int, attempt: Attempt, now: WhatIf) -> list[Change]:
    connection = database.open(transaction_manager=transaction.TransactionManager())
    try:
        commit, changed = _committed(connection, number, attempt)
        made = commit.made()
        describer = Describer(connection, made | now.made)
        rows = []
        for key in sorted((changed - made) | (now.states.keys() - now.made)):
            unchanged = commit.before(key) or (b"",)
            was = commit.states[key] if key in changed else unchanged[0]
            rows.append(describer.change(key, was, now.states.get(key, unchanged[0])))
        if len(changed & made) != len(now.made):
            counts = Difference("made", str(len(changed & made)), str(len(now.made)))
            rows.append(Change(None, "objects", [counts]))
        return [row for row in rows if row.differences]
    finally:
        connection.close()


def _committed(connection: Connection, number: int, attempt: Attempt) -> tuple[Commit, set[int]]:
    deeds = [deed for deed in deeds_of(connection, number) if deed[0].tid > attempt.snapshot]
    if not deeds:
        raise NoHistory(f"the commit of task {number} is in the history no more")
    commit, signature = deeds[-1]
    changed = commit.changed_by(signature)
    if changed is None:
        raise NoHistory(
            f"the commit of task {number} is that of {len(commit.signatures)} tasks, and does not "
            "tell which of them changed what: they were too many objects"
        )
    return commit, changed
