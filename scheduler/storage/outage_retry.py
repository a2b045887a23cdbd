"""The retry of work on the database until an outage is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from scheduler.storage import outage_log
from scheduler.storage.outage import is_outage, pause

Result = TypeVar("Result")


def retry_outages(work: Callable[[], Result]) -> Result:
    """Return what *work* returns, repeated for as long as the database has an outage.

    Any other error is raised at once. The outage is logged.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return work()
        except Exception as error:
            if not is_outage(error):
                raise
            outage_log.met(error)
            time.sleep(pause(attempt))
