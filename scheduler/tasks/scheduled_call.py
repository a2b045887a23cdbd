"""Scheduled calls: the recurring tasks that functions declare with `@task(cron=...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduler.schedules.schedule import Schedule
from scheduler.tasks.call import Arguments, FunctionOptions, called, found, is_coroutine_function
from scheduler.tasks.naming import dotted
from scheduler.tasks.options import FunctionOption
from scheduler.tasks.recurring import RecurringTask


class ScheduledCall(FunctionOptions, RecurringTask):
    """Calls the function *path* (`module:name`) at each date of its declared schedule.

    Its options and policies are looked up in the function.

    Conflict behaviour: as a recurring task; the leader makes it.
    """

    alone = True

    catchUp = FunctionOption()
    misfireGrace = FunctionOption()
    overlap = FunctionOption()
    jitter = FunctionOption()
    pauseOnFailure = FunctionOption()
    keepOccurrences = FunctionOption()
    keepOccurrencesFor = FunctionOption()

    def __init__(self, path: str, schedule: Schedule) -> None:
        self._name = path
        super().__init__(schedule)

    @property
    def path(self) -> str:
        """The path of the function."""
        return self._name

    def getFunction(self) -> Callable[..., Any]:
        """Return the function; ImportError or AttributeError where it is not there any more."""
        return found(self._name)

    def run(self) -> Any:
        """Call the function."""
        return called(self.getFunction())

    def _arguments(self) -> Arguments:
        return (), {}

    def _is_coroutine(self) -> bool:
        return is_coroutine_function(self.getFunction())

    def _full_name(self) -> str:
        return dotted(self._name)

    def _short_name(self) -> str:
        return self._full_name()

    def _shown_arguments(self) -> str:
        return ""
