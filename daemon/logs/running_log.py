"""The running log: the last lines of attempts that have not ended, as this process hears them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque

from scheduler.runtime.attempt_log import add_ids
from scheduler.values.masking import hidden

LINES_KEPT = 100
LINE_LENGTH = 500
TASKS_KEPT = 200
"""The tasks whose lines are kept: those that have logged last."""


class RunningLog(logging.Handler):
    """Keeps the last lines of each task that logs, from level INFO on, in memory."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.addFilter(add_ids)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._guard = threading.Lock()
        self._lines: OrderedDict[int, deque[tuple[float, str]]] = OrderedDict()

    def __enter__(self) -> None:
        """Listen to all that this process logs."""
        logging.getLogger().addHandler(self)

    def __exit__(self, *error: object) -> None:
        """Listen no more."""
        logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep *record*, if an attempt has logged it."""
        number = getattr(record, "task_id", None)
        if not isinstance(number, int):
            return
        try:
            line = hidden(self.format(record))[:LINE_LENGTH]
        except Exception:  # noqa: BLE001 (the arguments may be any objects)
            return
        with self._guard:
            lines = self._lines.setdefault(number, deque(maxlen=LINES_KEPT))
            lines.append((record.created, line))
            self._lines.move_to_end(number)
            while len(self._lines) > TASKS_KEPT:
                self._lines.popitem(last=False)

    def of(self, number: int, since: float) -> list[str]:
        """Return the kept lines of task *number* that were logged *since* (since 1970)."""
        with self._guard:
            return [line for created, line in self._lines.get(number, ()) if created >= since]


RUNNING_LOG = RunningLog()
