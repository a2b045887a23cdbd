"""Tasks run by a Dask cluster, whose workers open the shared database themselves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import distributed

from scheduler.execution import Outcome, Runner
from scheduler.executors.base import Flow, Lost, Results
from scheduler.line import Line
from scheduler.running import Claim
from scheduler.settings import Settings
from scheduler.store import Database, open_database

log = logging.getLogger(__name__)

_databases: dict[str, Database] = {}
_opening = threading.Lock()


class DaskExecutor:
    """Gives claims to a Dask cluster: the one at `dask_scheduler`, or a local one of its own.

    *uri* names the database as every worker of the cluster must be able to open it.
    """

    def __init__(self, uri: str, settings: Settings, on_report: Callable[[], None]) -> None:
        self._uri = uri
        self._settings = settings
        self._results = Results(on_report)
        self._flow = Flow(settings.workers)
        self._lock = threading.Lock()
        self._outstanding = 0
        self._cluster: Any = None
        if settings.dask_scheduler is None:
            self._cluster = distributed.LocalCluster(
                n_workers=settings.workers, threads_per_worker=1, dashboard_address=None
            )
        self._client: Any = distributed.Client(settings.dask_scheduler or self._cluster)
        self._futures: dict[Any, list[Claim]] = {}

    def room(self) -> int:
        """Return how many more claims the cluster should have now."""
        return self._flow.window - self._outstanding

    def submit(self, claims: Sequence[Claim]) -> None:
        """Give *claims* to the cluster, in shares that a worker has done in a moment."""
        share = self._flow.share
        for start in range(0, len(claims), share):
            part = list(claims[start : start + share])
            future = self._client.submit(
                run_claims, self._uri, self._settings.task_max_tries, part, pure=False
            )
            with self._lock:
                self._outstanding += len(part)
                self._futures[future] = part
            future.add_done_callback(self._done)

    def collect(self) -> tuple[list[Outcome], list[Lost]]:
        """Return the outcomes since the last call, and the claims of workers that died."""
        outcomes, lost = self._results.collect()
        with self._lock:
            self._outstanding -= len(outcomes) + len(lost)
        return outcomes, lost

    def is_busy(self) -> bool:
        """Say whether claims are out whose outcomes were not collected."""
        return self._outstanding > 0

    def shutdown(self, seconds: float) -> list[Claim]:
        """Wait at most *seconds* for what the cluster runs; return what it was not done with."""
        deadline = time.monotonic() + seconds
        while self._futures and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._lock:
            rest = [claim for claims in self._futures.values() for claim in claims]
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        return rest

    def _done(self, future: Any) -> None:
        with self._lock:
            claims = self._futures.pop(future)
        if future.status != "finished":
            log.warning("a worker of the cluster was lost: %s", future.status)
            self._flow.slow_down()
            self._results.report([], Lost.all_of(claims))
            return
        outcomes, seconds = future.result()
        self._flow.observe(seconds, len(outcomes))
        self._results.report(outcomes)


def run_claims(uri: str, max_tries: int, claims: list[Claim]) -> tuple[list[Outcome], float]:
    """Run the tasks of *claims* in this worker; return the outcomes and the seconds it took."""
    started = time.monotonic()
    line = Line()
    line.extend(claims)
    runner = Runner(_database(uri), max_tries, distributed.get_worker().address)
    try:
        outcomes = []
        while (claim := line.take()) is not None:
            outcomes += runner.run(claim, line)
    finally:
        runner.close()
    return outcomes, time.monotonic() - started


def _database(uri: str) -> Database:
    with _opening:
        if uri not in _databases:
            _databases[uri] = open_database(uri)
        return _databases[uri]
