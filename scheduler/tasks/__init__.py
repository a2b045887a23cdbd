"""The tasks: what is run once, what is run by a rule, and samples of both."""

from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.periodic import PeriodicTask, PeriodicUniqueTask
from scheduler.tasks.samples import SampleOneShotTask, SamplePeriodicTask

__all__ = [
    "Attempt",
    "BaseTask",
    "OneShotTask",
    "PeriodicTask",
    "PeriodicUniqueTask",
    "SampleOneShotTask",
    "SamplePeriodicTask",
    "TaskOccurrence",
]
