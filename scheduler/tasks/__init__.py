"""The tasks: what is run once, what is run by a schedule, and samples of both."""

from scheduler.schedules.cron import Cron
from scheduler.schedules.interval import Interval
from scheduler.schedules.rule import Rule
from scheduler.schedules.schedule import Schedule
from scheduler.schedules.schedule_set import ScheduleSet
from scheduler.tasks.alarm import AlarmTask
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import BoundTask
from scheduler.tasks.call import CallTask
from scheduler.tasks.chain import TaskChain
from scheduler.tasks.event import TimedEvent
from scheduler.tasks.function import TaskFunction
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.mail import SendMailTask
from scheduler.tasks.naming import name_of
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.options import TaskOptions
from scheduler.tasks.periodic import CronTask, IntervalTask, PeriodicTask, PeriodicUniqueTask
from scheduler.tasks.recurring import RecurringTask
from scheduler.tasks.retry import NEVER, Retry
from scheduler.tasks.samples import SampleOneShotTask, SamplePeriodicTask

__all__ = [
    "NEVER",
    "AlarmTask",
    "Attempt",
    "BaseTask",
    "BoundTask",
    "CallTask",
    "Cron",
    "CronTask",
    "Interval",
    "IntervalTask",
    "OneShotTask",
    "PeriodicTask",
    "PeriodicUniqueTask",
    "RecurringTask",
    "Retry",
    "Rule",
    "SampleOneShotTask",
    "SamplePeriodicTask",
    "Schedule",
    "ScheduleSet",
    "SendMailTask",
    "TaskChain",
    "TaskFunction",
    "TaskGroup",
    "TaskOccurrence",
    "TaskOptions",
    "TimedEvent",
    "name_of",
]
