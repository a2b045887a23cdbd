"""Executors, which feed workers: threads, processes or Dask, with the same methods."""

from scheduler.executors.base import Executor, ExecutorReport, Lost, WorkerStatus
from scheduler.executors.start import start_executor

__all__ = ["Executor", "ExecutorReport", "Lost", "WorkerStatus", "start_executor"]
