"""Replay: an attempt of the past, repeated on its snapshot and compared with its commit."""

from __future__ import annotations

from typing import NamedTuple

from ZODB import DB
from ZODB.Connection import Connection

from scheduler.errors import NoHistory
from scheduler.insight.commit_log import Commit, task_commits
from scheduler.insight.dry_run import DryRun, try_out
from scheduler.insight.state_diff import AttributeChange, Describer, StateDifference
from scheduler.states import TASK_STATUS_FINISHED
from scheduler.store.read_view import read_view
from scheduler.tasks.attempt import MESSAGE_KEPT, Attempt


class Replay(NamedTuple):
    """A repeated attempt, and its differences from the original."""

    attempt: Attempt
    now: DryRun
    message: str
    """The error of the repetition, as an attempt records it; empty for success."""
    differences: list[AttributeChange]
    """The changes of the attempt ("before") that differ from the repetition ("after")."""

    @property
    def is_alike(self) -> bool:
        """Whether the repetition did the same."""
        return self.message == self.attempt.message and not self.differences


def replay(database: DB, number: int, attempt: Attempt, is_debugged: bool = False) -> Replay:
    """Run the *attempt* of task *number* again, dry; raises as `try_out` does."""
    now = try_out(database, number, attempt, is_debugged)
    message = "" if now.error is None else f"{type(now.error).__name__}: {now.error}"[:MESSAGE_KEPT]
    differences: list[AttributeChange] = []
    if attempt.state == TASK_STATUS_FINISHED:
        differences = _differences(database, number, attempt, now)
    return Replay(attempt, now, message, differences)


def _differences(database: DB, number: int, attempt: Attempt, now: DryRun) -> list[AttributeChange]:
    with read_view(database) as connection:
        commit, changed = _committed(connection, number, attempt)
        made = commit.made()
        describer = Describer(connection, made | now.made)
        rows = []
        for key in sorted((changed - made) | (now.states.keys() - now.made)):
            unchanged = commit.before(key) or (b"",)
            was = commit.states[key] if key in changed else unchanged[0]
            rows.append(describer.change(key, was, now.states.get(key, unchanged[0])))
        if len(changed & made) != len(now.made):
            counts = StateDifference("made", str(len(changed & made)), str(len(now.made)))
            rows.append(AttributeChange(None, "objects", [counts]))
        return [row for row in rows if row.differences]


def _committed(connection: Connection, number: int, attempt: Attempt) -> tuple[Commit, set[int]]:
    commits = [each for each in task_commits(connection, number) if each[0].tid > attempt.snapshot]
    if not commits:
        raise NoHistory(f"the commit of task {number} is in the history no more")
    commit, signature = commits[-1]
    changed = commit.changed_by(signature)
    if changed is None:
        raise NoHistory(
            f"the commit of task {number} is that of {len(commit.signatures)} tasks, and does not "
            "tell which of them changed what: they were too many objects"
        )
    return commit, changed
