"""The scheduler's settings, checked once when they are built."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from scheduler.errors import SchedulerConfigurationException
from scheduler.values.duration import period
from scheduler.values.options import check_known

DAY = 86400
MODES = ("threads", "processes", "dask")
# The least values of settings that are whole numbers, and the units of those that are measured.
_LEAST = {"workers": 1, "task_max_tries": 1, "coroutines": 1, "worker_attempts": 0}
_UNITS = {
    **dict.fromkeys(("sleep_interval", "shutdown_timeout", "worker_silence"), "seconds"),
    **dict.fromkeys(("worker_memory", "task_max_size"), "MB"),
}


@dataclass(frozen=True)
class Settings:
    """The options of `Scheduler(**config)`; times are seconds."""

    multitask_mode: str = "threads"
    """Where tasks run: `threads`, `processes`, or `dask`."""

    workers: int = 2
    """How many tasks run at a time."""

    imports: Sequence[str] = ()
    """The modules that the scheduler and its workers import at their start.

    Their declared schedules are brought into the database.
    """

    hooks: Sequence[str] = ()
    """The hooks of the application, each `module:class`: see `scheduler.hooks`."""

    queues: Mapping[str, int] = field(default_factory=dict)
    """By the name of a queue, how many of its tasks this scheduler runs at a time."""

    sleep_interval: float = 10
    """The longest sleep; the scheduler wakes by itself when something is committed or due."""

    task_max_tries: int = 5
    """How many attempts a task has before it has failed; its class may set another number."""

    task_max_size: float = 16
    """How many MB of the database a task's arguments may take, and its result; 0 for any."""

    standby: bool = False
    """Whether to wait while another scheduler of the database lives, and take its place then."""

    awol_tasks_check_probability: float = 0.3
    """The probability that an idle tick looks for claims of vanished processes."""

    shutdown_timeout: float = 30
    """How long a shutdown waits for running tasks; what runs longer is run again later."""

    keep_finished: float = 30 * DAY
    """How long finished tasks and occurrences are kept; also as "30d", "12h", "forever"."""

    keep_finished_count: float = 100_000
    """How many of them are kept, the newest ones; a class may say otherwise for itself."""

    keep_failed: float = 365 * DAY
    """How long failed, terminated and cancelled tasks and occurrences are kept."""

    keep_failed_count: float = 100_000
    """How many of them are kept, the newest ones."""

    worker_memory: float = 0
    """The MB that a worker process may use; over them it is replaced. 0 for no limit."""

    coroutines: int = 100
    """How many coroutines (`async def`) a worker process runs at a time, each with a connection."""

    worker_attempts: int = 0
    """After how many attempts a worker process is replaced; 0 for never."""

    worker_silence: float = 10
    """How long a worker process that is stopped (SIGSTOP, a frozen cgroup) keeps its task."""

    dask_scheduler: str | None = None
    """The address of the Dask scheduler to use in mode `dask`; None for a local cluster."""

    @classmethod
    def of(cls, config: dict[str, Any]) -> Settings:
        """Return the settings that *config* asks for.

        Raises SchedulerConfigurationException naming the culprit and what is known.
        """
        known = ["database", *(each.name for each in fields(cls))]
        check_known(config, known, SchedulerConfigurationException)
        settings = cls(**{**config, **_periods(config), **_names(config)})
        settings._check()
        return settings

    def _check(self) -> None:
        if self.multitask_mode not in MODES:
            raise SchedulerConfigurationException(
                f"multitask_mode is {self.multitask_mode!r}; it must be one of {', '.join(MODES)}"
            )
        for name, least in _LEAST.items():
            if type(getattr(self, name)) is not int or getattr(self, name) < least:
                raise SchedulerConfigurationException(
                    f"{name} is {getattr(self, name)!r}; it must be a whole number from {least}"
                )
        _check_queues(self.queues)
        for name in ("keep_finished_count", "keep_failed_count"):
            value = getattr(self, name)
            if value != math.inf and (type(value) is not int or value < 0):
                raise SchedulerConfigurationException(
                    f"{name} is {value!r}; it must be a whole number from 0, or inf"
                )
        for name, unit in _UNITS.items():
            if not _is_number(getattr(self, name)) or getattr(self, name) < 0:
                raise SchedulerConfigurationException(
                    f"{name} is {getattr(self, name)!r}; it must be a number of {unit} from 0"
                )
        if not isinstance(self.standby, bool):
            raise SchedulerConfigurationException(
                f"standby is {self.standby!r}; it must be true or false"
            )
        probability = self.awol_tasks_check_probability
        if not _is_number(probability) or not 0 <= probability <= 1:
            raise SchedulerConfigurationException(
                f"awol_tasks_check_probability is {probability!r}; it must be between 0 and 1"
            )


def _periods(config: dict[str, Any]) -> dict[str, float]:
    """Return the settings that may be written as periods, as seconds."""
    periods = {}
    for name in config.keys() & {"keep_finished", "keep_failed"}:
        try:
            periods[name] = period(config[name])
        except ValueError as error:
            raise SchedulerConfigurationException(f"{name} must be a period: {error}") from None
    return periods


def _check_queues(queues: Any) -> None:
    numbers = queues.values() if isinstance(queues, Mapping) else [None]
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise SchedulerConfigurationException(
            f"queues is {queues!r}; it must give a whole number from 0 for each queue it names"
        )


def _names(config: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the settings that are lists of names, those that are given, as tuples."""
    found = {}
    for option in config.keys() & {"imports", "hooks"}:
        names = config[option]
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            kind = "modules" if option == "imports" else "hooks"
            raise SchedulerConfigurationException(
                f"{option} is {names!r}; it must be a list of the names of {kind}"
            )
        found[option] = tuple(names)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
