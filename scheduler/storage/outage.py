"""Outages of the database: transient errors (server down, disk full, too many open files)."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Any

from transaction.interfaces import TransientError
from ZEO.Exceptions import ClientDisconnected, ServerException

from scheduler.errors import OutcomeUnknown

log = logging.getLogger(__name__)

_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS})
OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
"""Too many open files: a storage opens more of its own as more is read at a time."""
_OF_THE_SYSTEM = _OF_THE_DISK | OF_FILES
# Error codes of PostgreSQL: insufficient resources (disk, memory), or an I/O error.
_OF_POSTGRES_DISK = ("53", "58030")

# The longest pause, in seconds, before the database is tried again.
LONGEST_PAUSE = 5.0


def is_outage(error: BaseException) -> bool:
    """Return whether *error* means that the database cannot be used at present.

    The reasons are a server that is down, a disk that is full or broken, here or there, and too
    many open files.
    """
    if isinstance(error, ServerException):
        name, arguments = (*error.args, (), ())[:2]  # of an error that the server had
        return name == "builtins.OSError" and bool(_OF_THE_SYSTEM.intersection(arguments[:1]))
    if str(getattr(error, "pgcode", "")).startswith(_OF_POSTGRES_DISK):
        return True
    return is_away(error) or (isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM)


def is_transient(error: BaseException) -> bool:
    """Return whether *error* is transient: a conflict, or an outage."""
    return isinstance(error, TransientError) or is_outage(error)


def abort_quietly(manager: Any) -> None:
    """Abort the current transaction of *manager*, even if a part of it fails to.

    The changes are dropped all the same.
    """
    try:
        manager.abort()
    except Exception as error:  # noqa: BLE001 (the transaction is over whatever it was)
        if is_outage(error):
            log.debug("%s during an abort; ignored", outage_text(error))
        else:
            log.warning("a data manager failed to abort its part of the transaction: %r", error)


def outage_text(error: BaseException) -> str:
    """Return a short description of the outage *error*."""
    if str(getattr(error, "pgcode", "")).startswith(_OF_POSTGRES_DISK):
        return f"the database cannot write: {error}"
    if is_away(error):
        return "the database is away"
    arguments = error.args[1] if isinstance(error, ServerException) else error.args
    verb = "be read" if arguments[0] in OF_FILES else "write"
    return f"the database cannot {verb}: {arguments[1]}"


def pause(attempt: int) -> float:
    """Return the seconds to wait before the database is tried again after *attempt* failures."""
    return float(min(LONGEST_PAUSE, 0.5 * 2 ** min(attempt, 10)))


def is_away(error: BaseException) -> bool:
    """Return whether *error* means that the server of the database does not answer."""
    if str(getattr(error, "pgcode", "")).startswith(_OF_POSTGRES_DISK):
        return False
    kinds: list[type[BaseException]] = [ClientDisconnected, OutcomeUnknown]
    # These are extras; where they are not loaded, nothing of theirs is raised.
    if "psycopg2" in sys.modules:
        driver = sys.modules["psycopg2"]
        kinds += [driver.OperationalError, driver.InterfaceError]
    if "relstorage.storage.interfaces" in sys.modules:
        kinds.append(sys.modules["relstorage.storage.interfaces"].StorageDisconnectedDuringCommit)
    return isinstance(error, tuple(kinds))
