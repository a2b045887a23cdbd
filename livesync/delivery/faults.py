"""Faults: whether a failure is the record's or the target's, and its reason in one line."""

from __future__ import annotations

import logging

import httpx

from livesync.errors import Overloaded, TargetFault
from scheduler.values.masking import hidden

LONGEST_REASON = 500
# Errors about a record at first sight; any other error is, if it comes a second time.
FAULTS_OF_RECORDS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
FAULTS_OF_TARGET = (Overloaded, TargetFault, ConnectionError, TimeoutError, httpx.TransportError)


class RecordsNotMade(Exception):  # noqa: N818 (no part of the interface)
    """The agent's own code failed over a change, before there was a record to send."""


def is_fault_of_target(error: BaseException | None) -> bool:
    """Say whether *error*, or what caused it, is about the target and not about a record."""
    while error is not None:
        if isinstance(error, FAULTS_OF_TARGET):
            return True
        error = error.__cause__ or error.__context__
    return False


def reason_of(error: BaseException) -> str:
    """Return what is kept of *error*: its class and the beginning of its message, no password."""
    if isinstance(error, RecordsNotMade):
        return str(error)
    return hidden(f"{type(error).__name__}: {error}")[:LONGEST_REASON]


def log_failure(log: logging.Logger, agent_id: str, error: BaseException) -> None:
    """Log in one line why an agent failed; where debugging is on, with the traceback."""
    log.error(
        "agent %s failed: %s",
        agent_id,
        " ".join(reason_of(error).split()),
        exc_info=error if log.isEnabledFor(logging.DEBUG) else None,
    )
