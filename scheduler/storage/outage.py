"""Trouble with the database itself, which is over some time and nobody's fault who uses it."""

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
# Somebody has too many files open: a storage opens more of its own as more is read at a time.
_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})
_OF_THE_SYSTEM = _OF_THE_DISK | _OF_FILES
# The codes of PostgreSQL: it has not enough of something (disk, memory), or its disk is broken.
_OF_POSTGRES_DISK = ("53", "58030")

LONGEST_PAUSE = 5.0


def is_trouble(error: BaseException) -> bool:
    """Say whether *error* means that the database cannot be read or written just now.

    So it is where its server is away, where its disk is full or broken, here or there, and
    where no more files can be opened.
    """
    if isinstance(error, ServerException):
        name, arguments = (*error.args, (), ())[:2]  # of an error that the server had
        return name == "builtins.OSError" and bool(_OF_THE_SYSTEM.intersection(arguments[:1]))
    if str(getattr(error, "pgcode", "")).startswith(_OF_POSTGRES_DISK):
        return True
    return is_away(error) or (isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM)


def is_passing(error: BaseException) -> bool:
    """Say whether *error* is over some time: a conflict, or trouble with the database."""
    return isinstance(error, TransientError) or is_trouble(error)


def give_up(manager: Any) -> None:
    """Abort the current transaction of *manager*, also where a part of it fails to.

    What was changed is forgotten all the same: where the database stands now, the next one looks.
    """
    try:
        manager.abort()
    except Exception as error:  # noqa: BLE001 (the transaction is over whatever it was)
        if is_trouble(error):
            log.debug("%s; the transaction is aborted", told(error))
        else:
            log.warning("a data manager failed to abort its part of a transaction: %r", error)


def told(error: BaseException) -> str:
    """Return in a few words what the trouble *error* is."""
    if str(getattr(error, "pgcode", "")).startswith(_OF_POSTGRES_DISK):
        return f"the database cannot write: {error}"
    if is_away(error):
        return "the database is away"
    arguments = error.args[1] if isinstance(error, ServerException) else error.args
    verb = "be read" if arguments[0] in _OF_FILES else "write"
    return f"the database cannot {verb}: {arguments[1]}"


def pause(attempt: int) -> float:
    """Return the seconds to wait before the database is tried again after *attempt* failures."""
    return float(min(LONGEST_PAUSE, 0.5 * 2 ** min(attempt, 10)))


def is_away(error: BaseException) -> bool:
    """Say whether *error* means that the database's server is not there."""
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
