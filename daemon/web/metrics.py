"""The metrics of the daemon, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest
from ZODB import DB

from daemon.metrics.database_metrics import DatabaseMetrics
from daemon.metrics.task_metrics import TaskMetrics

CONTENT_TYPE = "text/plain; version=0.0.4"


class Metrics:
    """The metrics of one database, and of the attempts that the daemon has led.

    *health* returns the fault of the daemon, *leads* whether its scheduler leads.
    """

    def __init__(
        self,
        database: DB,
        health: Callable[[], str] = str,
        leads: Callable[[], bool] = bool,
    ) -> None:
        self._registry = CollectorRegistry()
        self.tasks = TaskMetrics(self._registry)
        self._registry.register(DatabaseMetrics(database, health, leads))

    def text(self) -> str:
        """Return the metrics, those of the database from one snapshot."""
        return generate_latest(self._registry).decode()
