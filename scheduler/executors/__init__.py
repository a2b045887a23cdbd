"""Executors: where claimed tasks are run. Two of a kind, with the same methods."""

from scheduler.executors.base import Executor, ExecutorReport, Lost, Station
from scheduler.executors.start import start_executor

__all__ = ["Executor", "ExecutorReport", "Lost", "Station", "start_executor"]
