"""The changes of a task: by each commit of its runs, the objects and their differences."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from time import monotonic
from typing import NamedTuple

from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.errors import NoHistory
from scheduler.insight.commit_log import Commit, task_commits
from scheduler.insight.state_diff import AttributeChange, Describer
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of
from scheduler.tasks import BaseTask
from scheduler.tasks.naming import title_of
from scheduler.worker.commit_signature import Signature

COMMITS_SHOWN = 5
OBJECTS_SHOWN = 30
SECONDS = 0.3
"""The time after which no further commit is read."""


class CommitChanges(NamedTuple):
    """The changes of one commit of a task."""

    date: datetime
    attempt: int
    transaction: str
    changes: list[AttributeChange]
    more: int
    """How many objects are left out."""

    enqueued: list[tuple[int, str]]
    """The numbers and titles of the tasks that it made."""

    fault: str = ""
    """Why the objects are not known."""


def changes_of(connection: Connection, number: int) -> tuple[list[CommitChanges], str]:
    """Return what the last commits of task *number* changed, newest first; or why not."""
    found: list[CommitChanges] = []
    end = monotonic() + SECONDS
    try:
        for commit, signature in islice(task_commits(connection, number), COMMITS_SHOWN):
            found.append(_of_commit(connection, commit, signature))
            if monotonic() > end:
                break  # the file is long, and old commits are far from both of its ends
        return found, ""
    except NoHistory as error:
        return [], str(error)
    except KeyError:
        return [], ""
    except Exception as error:
        if is_transient(error):
            raise
        return [], reason_of(error)


def _of_commit(connection: Connection, commit: Commit, signature: Signature) -> CommitChanges:
    changed = commit.changed_by(signature)
    facts = commit.date, signature.attempt, f"{commit.tid:016x}"
    if changed is None:
        count = len(commit.signatures)
        why = f"{count} tasks were committed together, and there were too many objects to name"
        return CommitChanges(*facts, [], 0, [], why)
    made = commit.made() & changed
    tasks = [(key, connection.get(p64(key))) for key in sorted(made)]
    enqueued = {key: title_of(task) for key, task in tasks if isinstance(task, BaseTask)}
    others = sorted(changed - enqueued.keys())
    describer = Describer(connection, made)
    shown = [_change(describer, commit, key) for key in others[:OBJECTS_SHOWN]]
    changes = [each for each in shown if each.differences or each.number is None]
    return CommitChanges(
        *facts, changes, max(0, len(others) - OBJECTS_SHOWN), list(enqueued.items())
    )


def _change(describer: Describer, commit: Commit, number: int) -> AttributeChange:
    before = commit.before(number)
    return describer.change(number, b"" if before is None else before[0], commit.states[number])
