"""The transactional task scheduler: tasks that live in the application's own object database."""

from typing import TYPE_CHECKING

from scheduler.client import Client
from scheduler.clock import nowutc
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.task_filter import TaskFilter
from scheduler.states import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
    TASK_STATUS_TERMINATED,
)
from scheduler.tasks.current_attempt import attempt
from scheduler.tasks.function import task
from scheduler.tasks.retry import TaskDelayed
from scheduler.tasks.signal_wait import WaitForSignal
from scheduler.values.deferred_names import deferred

if TYPE_CHECKING:
    from scheduler.dispatch.scheduler import Scheduler

__all__ = [
    "TASK_STATUS_ABORTED",
    "TASK_STATUS_FAILED",
    "TASK_STATUS_FINISHED",
    "TASK_STATUS_NONE",
    "TASK_STATUS_QUEUED",
    "TASK_STATUS_RUNNING",
    "TASK_STATUS_SPOOLED",
    "TASK_STATUS_TERMINATED",
    "Client",
    "Scheduler",
    "SchedulerModule",
    "TaskDelayed",
    "TaskFilter",
    "WaitForSignal",
    "attempt",
    "nowutc",
    "task",
]

# Code that only enqueues or looks begins sooner without it.
__getattr__ = deferred(__name__, {"Scheduler": "scheduler.dispatch.scheduler"})
