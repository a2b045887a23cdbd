"""The dry run or replay of a task in a process of its own: it sets clocks, and may hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ZODB import DB

from scheduler.executors.start import PRIVATE_SCHEMES
from scheduler.insight.state_diff import AttributeChange, StateDifference
from scheduler.store import Database
from scheduler.store.database_uri import URI_VARIABLE

SECONDS = 30
CHANGES = ("changes", "unlike")
COMMAND = (sys.executable, "-P", "-m", "daemon.cli", "run")


def run_dry(database: DB, number: int, attempt: str | None = None) -> Mapping[str, Any]:
    """Run task *number* dry, or replay an *attempt*; return what `--json` tells, or its `fault`."""
    if not isinstance(database, Database) or database.uri.startswith(PRIVATE_SCHEMES):
        return {"fault": "This database cannot be opened by a second process"}
    replayed = () if attempt is None else (f"--as-of-attempt={attempt}",)
    try:
        done = subprocess.run(  # noqa: S603 (a command of this package, with numbers)
            [*COMMAND, str(number), "--dry-run", "--json", *replayed],
            env={**os.environ, URI_VARIABLE: database.uri, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"fault": f"It was not over within {SECONDS} seconds, and was ended"}
    try:
        facts: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return {"fault": said[-1] if said else f"It ended with status {done.returncode}"}
    return {"fault": "", **facts, **{name: _changes(facts.get(name, ())) for name in CHANGES}}


def _changes(told: Iterable[Mapping[str, Any]]) -> list[AttributeChange]:
    return [
        AttributeChange(
            each["object"],
            each["class"],
            [StateDifference(**difference) for difference in each["differences"]],
        )
        for each in told
    ]
