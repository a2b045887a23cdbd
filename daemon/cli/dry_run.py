"""`indico_scheduler run ID --dry-run` and `--as-of-attempt N`: a dry run or a replay, printed."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from typing import Any

from daemon.config import Config
from daemon.views.attempt_choice import chosen_attempt
from daemon.views.task_detail import find_task
from scheduler.insight.dry_run import DryRun, try_out
from scheduler.insight.replay import Replay, replay
from scheduler.insight.state_diff import AttributeChange
from scheduler.store import connect
from scheduler.values.console import answer


def dry_run(options: argparse.Namespace, config: Config) -> int:
    """Run a task dry on an overlay and print the changes; nothing is committed.

    Return 1 if the run fails, or if a replay differs from its attempt.
    """
    # An answer in JSON has nothing that a task prints.
    aside = redirect_stdout(sys.stderr) if options.json else nullcontext()
    with connect(config.database) as connection:
        task = find_task(connection, options.task_id)
        if options.as_of_attempt is None:
            with aside:
                tried = try_out(connection.db(), options.task_id, is_debugged=options.debug)
            answer(options, _facts(tried), "\n".join(_lines(tried)))
            return int(tried.error is not None)
        attempt = chosen_attempt(task, options.as_of_attempt)
        with aside:
            again = replay(connection.db(), options.task_id, attempt, options.debug)
    answer(options, _replay_facts(again), "\n".join(_replay_lines(again)))
    return int(not again.is_alike)


def _lines(tried: DryRun) -> Iterator[str]:
    if tried.error is not None:
        yield "The run fails, and would change nothing:"
        yield "".join(traceback.format_exception(tried.error)).rstrip()
    elif not (tried.changes or tried.enqueued):
        yield "It would change nothing"
    else:
        yield "It would change:"
        yield from _change_lines(tried.changes)
    yield from (f"  enqueue {task}" for task in tried.enqueued)
    if tried.held:
        yield "Held back:"
        yield from (f"  {held.kind}: {held.what}" for held in tried.held)


def _change_lines(changes: list[AttributeChange]) -> Iterator[str]:
    for change in changes:
        yield f"  {'new' if change.number is None else change.number} {change.kind}"
        for name, before, after in change.differences:
            if before is None:
                yield f"    {name}: {after}"
            else:
                yield f"    {name}: {before} -> {'removed' if after is None else after}"


def _replay_lines(again: Replay) -> Iterator[str]:
    yield from _lines(again.now)
    if again.is_alike:
        yield f"As it was: attempt {again.attempt}"
        return
    yield f"Not as it was: attempt {again.attempt}"
    yield from _change_lines(again.differences)


def _facts(tried: DryRun) -> dict[str, Any]:
    return {
        "changes": [_change_facts(change) for change in tried.changes],
        "enqueued": tried.enqueued,
        "held": [held._asdict() for held in tried.held],
        "result": None if tried.result is None else repr(tried.result),
        "error": None if tried.error is None else f"{type(tried.error).__name__}: {tried.error}",
    }


def _change_facts(change: AttributeChange) -> dict[str, Any]:
    return {
        "object": change.number,
        "class": change.kind,
        "differences": [difference._asdict() for difference in change.differences],
    }


def _replay_facts(again: Replay) -> dict[str, Any]:
    return {
        **_facts(again.now),
        "alike": again.is_alike,
        "then": again.attempt.message,
        "unlike": [_change_facts(change) for change in again.differences],
    }
