"""The log of an attempt: its lines are kept with its record, and carry its ids."""

from __future__ import annotations

import logging
import threading

from scheduler.runtime.context import current_run

# Loggers whose lines are no event of an application: the database's own.
PASSED_OVER = ("ZEO", "ZODB", "txn", "relstorage")


def add_ids(record: logging.LogRecord) -> bool:
    """Give *record* the ids of its attempt: a filter for handlers, which passes all.

    They are `task_id`, `task_class`, `attempt` and `queue`; empty outside of attempts.
    """
    run = current_run()
    ids = {} if run is None else run.ids
    for name in ("task_id", "task_class", "attempt", "queue"):
        if not hasattr(record, name):
            setattr(record, name, ids.get(name, ""))
    return True


class AttemptLogHandler(logging.Handler):
    """Keeps the log lines from level INFO on with the attempt that logs them.

    It stands among the handlers of the root logger only inside its `with` blocks, in which
    workers make attempts: an application that has not configured its log yet can do so later.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._named = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._counting = threading.Lock()
        self._workers = 0

    def __enter__(self) -> None:
        """Note that a worker begins to make attempts."""
        with self._counting:
            self._workers += 1
            if self._workers == 1:
                logging.getLogger().addHandler(self)

    def __exit__(self, *error: object) -> None:
        """Note that a worker has made its attempts."""
        with self._counting:
            self._workers -= 1
            if self._workers == 0:
                logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record* with the attempt that this thread makes, if it makes one."""
        self._pass_on(record)
        run = current_run()
        if run is None or record.name.partition(".")[0] in PASSED_OVER:
            return
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 (the arguments may be any objects)
            line = f"{record.levelname} {record.msg!r} with the arguments {_shown(record.args)} "
            line += f"is no line of a log: {type(error).__name__}"
        run.note(line)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line to keep: with the logger's name, if it is not the task's own."""
        is_own = record.name.startswith("task.")
        return super().format(record) if is_own else self._named.format(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        last = logging.lastResort
        if last is None or logging.getLogger().handlers != [self]:
            return
        if record.levelno >= last.level:
            last.handle(record)  # as Python does where there is no handler


KEEPER = AttemptLogHandler()


def log_tasks() -> None:
    """Have what tasks write to `getLogger()` logged from level INFO on, if nothing else is set."""
    logger = logging.getLogger("task")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def _shown(arguments: object) -> str:
    try:
        return repr(arguments)
    except Exception:  # noqa: BLE001 (the arguments may be any objects)
        return "that cannot be shown"
