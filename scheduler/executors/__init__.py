"""Executors: where claimed tasks are run. Two of a kind, with the same methods."""

from scheduler.executors.base import Executor, Lost, Report, Station
from scheduler.executors.start import start_executor

__all__ = ["Executor", "Lost", "Report", "Station", "start_executor"]
