"""The errors of the scheduler; each derives from SchedulerException."""

from __future__ import annotations

from transaction.interfaces import TransientError
from ZEO.Exceptions import ClientDisconnected

from scheduler.values.masking import hidden


class SchedulerException(Exception):  # noqa: N818 (documented name)
    """The root of all errors of the scheduler and of its store."""


class TaskStillRunningException(SchedulerException):
    """The call needs a task that is not running, and this one is."""


class TaskNotFoundException(SchedulerException):
    """A task is not on the shelf that was asked for it, or is gone."""


class TaskNotCommitted(SchedulerException):
    """A task is waited for in the transaction that enqueues it, or another one with changes."""


class TaskFailed(SchedulerException):
    """A task that was waited for has failed for good, was cancelled or terminated."""


class WaitTimeoutError(SchedulerException, TimeoutError):
    """A task that was waited for has not ended in time; it goes on."""


class TaskInconsistentStatusException(SchedulerException):
    """The status of a task does not allow the requested move."""


class SchedulerQuitException(SchedulerException):
    """The scheduler was asked to quit; the text is the message of the shutdown."""


class LeadershipLost(SchedulerException):
    """Another scheduler of the database has taken over; the text says which one."""


class SchedulerUnknownOperationException(SchedulerException):
    """The spool holds an operation that the scheduler does not know."""


class SchedulerConfigurationException(SchedulerException):
    """A setting is unknown or has a value that cannot be used."""


class BadCursor(SchedulerException):
    """The cursor of a search is none that a page has given."""


class TaskInterrupted(SchedulerException):
    """The root of the errors that `checkCancelled` raises in an attempt that is to end."""


class TaskCancelled(TaskInterrupted):
    """The attempt was cancelled; its changes are aborted."""


class TaskTimedOut(TaskInterrupted):
    """The attempt took longer than its soft limit."""


class HardLimitReached(TaskInterrupted):
    """The coroutine of the attempt was cancelled at its hard limit."""


class WorkerLost(SchedulerException):
    """The worker died during the attempt. Use it as a key of `retries` to set a policy."""


class TooLarge(SchedulerException):
    """The arguments of a task, or its result, take more of the database than is allowed."""


class SignalTimeoutError(SchedulerException, TimeoutError):
    """A signal that the task has waited for has not come in time."""


class MailNotSent(SchedulerException):
    """Mail could not be sent now; it may be tried again."""


class MailRefused(SchedulerException):
    """Mail was refused for good; the text says by whom, and why."""


class StoreException(SchedulerException):
    """The root of all errors about the database itself."""


class NoConnectionError(StoreException):
    """A call needs a database connection; none was given and there is no current one."""

    def __init__(self) -> None:
        super().__init__(
            "no database connection: pass one, or enclose the call in "
            "'with scheduler.store.using(connection):' or 'with scheduler.store.connect(uri):'"
        )


class DatabaseUnavailable(StoreException):
    """A database cannot be opened; the text says which one, why, and what to do, no password."""

    def __init__(self, text: str) -> None:
        super().__init__(hidden(text))


class DatabaseMissing(DatabaseUnavailable):
    """There is no database where a command looks for it; the text says where that is."""


class OpenedBeforeFork(DatabaseUnavailable):
    """A child process cannot use what its parent opened; the text says what to do instead."""


class CommitInterrupted(StoreException, ClientDisconnected):
    """The connection to the database was lost during a commit, of which nothing is stored.

    It is a TransientError: the unit of work can be repeated.
    """


class OutcomeUnknown(StoreException):
    """The connection to the database was lost at the end of a commit: it is stored, or not.

    Look for its changes before you repeat it; it is no TransientError, so nothing repeats it.
    """


class NotObserved(StoreException):
    """The connections of a database cannot be made to record changes; the text says why."""


class UnfinishedCommit(StoreException, TransientError):  # noqa: N818 (as the others)
    """Half a commit stands at the end of the database's file; the text says of which one.

    Its server was killed, or its disk is full. The transactions can be read after the next commit.
    """


class SchemaTooNew(StoreException):
    """The database was written by a newer version of this software."""


class DatabaseDamaged(StoreException):
    """A stored object that the scheduler itself needs cannot be read; the text names it."""


class SecretUnreadable(StoreException):
    """A stored secret is encrypted, and its key is not given; the text says how to give it."""


class UndoRefused(SchedulerException):
    """The objects to be undone were changed again since; the text names the transactions."""


class NoHistory(StoreException):
    """The storage keeps no history, or not as far back as was asked for."""


class PositionUnreadable(StoreException):
    """A text is no position token of the database."""


class PositionGone(StoreException):
    """The state of a position is not in the database any more; the text says why.

    `oldest` is the number of the oldest transaction from which one can go on; None if it is not
    known.
    """

    def __init__(self, text: str, oldest: int | None = None) -> None:
        super().__init__(text)
        self.oldest = oldest


class NothingYet(PositionGone):
    """The database did not exist at the time that is asked for."""
