"""`indico_scheduler blame` and `undo`: who changed what, and taking a task's changes back."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

import transaction
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from daemon.config import Config
from daemon.errors import DaemonException
from daemon.views.task_detail import find_task
from daemon.views.undoing import take_back
from scheduler.insight.commit_log import Commit, commits_of, culprits, task_commits
from scheduler.store import connect
from scheduler.store.stored_state import class_of
from scheduler.tasks import BaseTask, CallTask
from scheduler.tasks.naming import arguments_of, called_by, name_of
from scheduler.values.console import answer, as_lines
from scheduler.values.legible import legible
from scheduler.worker.commit_signature import Signature

COMMITS_SHOWN = 10

Facts = dict[str, Any]


def blame(options: argparse.Namespace, config: Config) -> int:
    """Tell which task changed an object last; of a task, which objects it changed as well."""
    with connect(config.database) as connection:
        facts = _facts(connection, options.number)
    answer(options, facts, "\n".join(as_lines(facts)))
    return 0


def undo(options: argparse.Namespace, config: Config) -> int:
    """Take back what the last run of a task changed, and record the objects as changed."""
    with connect(config.database) as connection:
        task = find_task(connection, options.task_id)
        done = take_back(connection, task)
        transaction.get().note(legible(f"undo of {task!r}"))
        transaction.commit()
        facts = {
            "task": options.task_id,
            "restored": [_named(obj) for obj in done.restored],
            "unmade": [_named(obj) for obj in done.made],
            "withdrawn": [each.getId() for each in done.withdrawn],
        }
    answer(options, facts, "\n".join(as_lines(facts)))
    return 0


def _facts(connection: Connection, number: int) -> Facts:
    try:
        commit = next(commits_of(connection, number))
    except KeyError:
        raise DaemonException(f"there is no object {number} in the database") from None
    task = connection.get(p64(number))
    facts: Facts = {
        "object": number,
        "class": _class(commit.states[number]),
        "arguments": arguments_of(task),
        "changed": commit.date,
        "by": [_task(connection, each) for each in culprits(commit, number)],
        "user": commit.user.strip(),
        "note": commit.description,
        "transaction": f"{commit.tid:016x}",
    }
    if isinstance(task, BaseTask):
        facts["origin"] = task.getOrigin().facts()
        commits = islice(task_commits(connection, number), COMMITS_SHOWN)
        facts["runs"] = [_commit_facts(commit, signature) for commit, signature in commits]
    return facts


def _task(connection: Connection, signature: Signature) -> Facts:
    task = connection.get(p64(signature.task))
    return {
        "task": signature.task,
        "class": name_of(task),
        "arguments": arguments_of(task),
        "attempt": signature.attempt,
        "version": signature.version,
        "origin": task.getOrigin().facts() if isinstance(task, BaseTask) else {},
    }


def _commit_facts(commit: Commit, signature: Signature) -> Facts:
    changed = commit.changed_by(signature)
    return {
        "date": commit.date,
        "attempt": signature.attempt,
        "version": signature.version,
        "transaction": f"{commit.tid:016x}",
        "changed": None if changed is None else [_stored(commit, key) for key in sorted(changed)],
    }


def _stored(commit: Commit, number: int) -> str:
    return f"{number} {_class(commit.states[number])}"


def _class(record: bytes) -> str:
    module, name = class_of(record)
    is_call = module == CallTask.__module__
    return (called_by(record) if is_call else None) or f"{module}.{name}"


def _named(obj: Any) -> str:
    return f"{u64(obj._p_oid)} {name_of(obj)}"
