"""The states of a task, and the table of moves between them (reference 3.1.2)."""

from __future__ import annotations

TASK_STATUS_NONE = 0
TASK_STATUS_SPOOLED = 1
TASK_STATUS_QUEUED = 2
TASK_STATUS_RUNNING = 3
TASK_STATUS_FAILED = 4
TASK_STATUS_ABORTED = 5
TASK_STATUS_FINISHED = 6
TASK_STATUS_TERMINATED = 7

WORDS = {
    TASK_STATUS_RUNNING: "running",
    TASK_STATUS_SPOOLED: "spooled",
    TASK_STATUS_QUEUED: "waiting",
    TASK_STATUS_FAILED: "failed",
    TASK_STATUS_TERMINATED: "terminated",
    TASK_STATUS_ABORTED: "aborted",
    TASK_STATUS_FINISHED: "finished",
}
STATES = (*WORDS.values(), "paused", "blocked", "quarantined")
"""The words for the states, as commands and pages show them."""

_CODES = ("NN", "SP", "QD", "RN", "FA", "AB", "FI", "TD")

ENDED = frozenset(
    {TASK_STATUS_FAILED, TASK_STATUS_ABORTED, TASK_STATUS_FINISHED, TASK_STATUS_TERMINATED}
)

# The states stored in a running task: the running list alone says that it runs.
BEFORE_RUN = frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED})

AT_WORK = frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING})

WAITING = frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED})

# From each state, the states that a task may move to. A task that is due when it leaves the spool
# goes on to RUNNING by way of QUEUED in one commit; an ended one is queued when it is enqueued
# again, one without a state when it is bound to an object that has a date for it.
MOVES: dict[int, frozenset[int]] = {
    TASK_STATUS_NONE: frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED}),
    TASK_STATUS_SPOOLED: frozenset({TASK_STATUS_QUEUED, TASK_STATUS_NONE, TASK_STATUS_TERMINATED}),
    TASK_STATUS_QUEUED: frozenset(
        {TASK_STATUS_RUNNING, TASK_STATUS_NONE, TASK_STATUS_ABORTED, TASK_STATUS_TERMINATED}
    ),
    TASK_STATUS_RUNNING: frozenset({TASK_STATUS_QUEUED}) | ENDED,
    TASK_STATUS_FAILED: frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_NONE}),
    TASK_STATUS_ABORTED: frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_NONE}),
    TASK_STATUS_FINISHED: frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_NONE}),
    TASK_STATUS_TERMINATED: frozenset({TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_NONE}),
}


def status(n: int) -> str:
    """Return the two letters of state *n*, such as `QD`; IndexError for an unknown number."""
    if n < 0:
        raise IndexError(f"no task status has the number {n}")
    return _CODES[n]


def is_legal(before: int, after: int) -> bool:
    """Say whether a task may move from state *before* to state *after*."""
    return isinstance(before, int) and after in MOVES.get(before, ())
