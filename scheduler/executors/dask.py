"""Tasks run by a Dask cluster, whose workers open the shared database themselves."""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import distributed

from scheduler.executors.base import (
    AttemptWatch,
    ExecutorReport,
    Lost,
    ReportBuffer,
    WorkerLoad,
    WorkerStatus,
)
from scheduler.executors.dask_workers import Apart, LocalWorkers, end_group
from scheduler.inbox.claims import Claim
from scheduler.runtime.application import Application
from scheduler.runtime.context import AttemptReport, Begun, ProgressReport
from scheduler.settings import Settings
from scheduler.states import TASK_STATUS_ABORTED
from scheduler.store import Database, open_database
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.family import descendants, kill_each
from scheduler.worker.log_forwarding import ForwardedLine, LogForwarder
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import Runner

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
        self._results = ReportBuffer(on_report)
        self._load = WorkerLoad(settings.workers)
        self._lock = threading.Lock()
        self._out: set[int] = set()  # by number, the claims whose end was not collected
        self._cluster: Any = None
        if settings.dask_scheduler is None:
            self._cluster = distributed.LocalCluster(
                n_workers=settings.workers, threads_per_worker=1, dashboard_address=None
            )
        self._client: Any = distributed.Client(settings.dask_scheduler or self._cluster)
        self._local: LocalWorkers | None = None
        if self._cluster is not None:
            self._client.register_plugin(Apart())
            self._local = LocalWorkers(self._cluster, settings.worker_silence, self._results.wake)
        self._futures: dict[Any, list[Claim]] = {}
        self._losses: dict[Any, Lost] = {}
        self._watches: dict[int, AttemptWatch] = {}
        self._topic = f"runs-{secrets.token_hex(8)}"
        self._client.subscribe_topic(self._topic, self._receive)

    def room(self) -> int:
        """Return how many more claims the cluster should have now."""
        return self._load.window - len(self._out)

    def submit(self, claims: Sequence[Claim]) -> None:
        """Give *claims* to the cluster, in shares that a worker has done in a moment."""
        share = self._load.share
        for start in range(0, len(claims), share):
            part = list(claims[start : start + share])
            future = self._client.submit(
                run_claims,
                self._uri,
                self._settings.task_max_tries,
                Application.of(self._settings),
                part,
                self._topic,
                pure=False,
            )
            with self._lock:
                self._out.update(claim.number for claim in part)
                self._futures[future] = part
            future.add_done_callback(self._done)

    def collect(self) -> ExecutorReport:
        """Return the outcomes since the last call, and the claims of workers that died."""
        for watch in list(self._watches.values()):
            begun = watch.overdue()
            if begun is not None:
                self._end(Lost.overdue(begun))
        report = self._results.collect()
        with self._lock:
            self._out.difference_update(report.numbers())
        return report

    def stop(self, claim: Claim) -> None:
        """Restart the cluster's worker that runs *claim*; its other claims are run again."""
        self._end(Lost(claim, TASK_STATUS_ABORTED, "cancelled"))

    def reload(self) -> None:
        """Leave the workers of the cluster as they are: they are renewed by Dask's own means."""
        log.warning("workers of cluster %s not replaced: restart it", self._client)

    def is_reloading(self) -> bool:
        """Return False: no worker is ever replaced."""
        return False

    def workers(self) -> list[WorkerStatus]:
        """Return the cluster's workers by address, each with the first claim it is to run."""
        with self._lock:
            claims = {future.key: part[0] for future, part in self._futures.items()}
        try:
            work = self._client.processing().items()
        except Exception as error:  # noqa: BLE001 (the cluster may be away)
            log.info("tasks of the Dask workers unknown: %r", error)
            return []
        return [
            WorkerStatus(address, claims.get(keys[0]) if keys else None, self._state(address))
            for address, keys in work
        ]

    def _state(self, address: str) -> str:
        return "" if self._local is None else self._local.state(address)

    def holds(self) -> set[int]:
        """Return the numbers of the claims with the cluster, and in reports."""
        with self._lock:
            given = [claim.number for claims in self._futures.values() for claim in claims]
        return set(given).union(self._results.claims())

    def rest(self) -> float:
        """Return for how many seconds no run is over its limit."""
        return min((watch.rest() for watch in list(self._watches.values())), default=math.inf)

    def shutdown(self, seconds: float) -> list[Claim]:
        """Wait *seconds* for the cluster's attempts to end; return the claims not done."""
        deadline = time.monotonic() + seconds
        while self._futures and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._lock:
            rest = [claim for claims in self._futures.values() for claim in claims]
        if self._local is not None:
            self._local.close()
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        return rest

    def _end(self, loss: Lost) -> None:
        future = next(
            (each for each, claims in list(self._futures.items()) if loss.claim in claims), None
        )
        if future is None:
            return
        running = self._client.processing().items()
        workers = [address for address, keys in running if future.key in keys]
        self._losses[future] = loss
        future.cancel()  # else the cluster would run it again itself
        threading.Thread(target=self._restart, args=(workers,), daemon=True).start()

    def _restart(self, workers: list[str]) -> None:
        pids = [] if self._local is None else self._local.pids(workers)
        families = [each for pid in pids for each in descendants(pid)]
        try:
            self._client.restart_workers(workers, raise_for_error=False)
        except Exception as error:  # noqa: BLE001 (the cluster may end meanwhile)
            log.warning("workers %s of the cluster could not be restarted: %r", workers, error)
        for pid in pids:
            end_group(pid)  # what the task had started lives on
        kill_each(families)

    def _receive(self, event: tuple[float, list[Any]]) -> None:
        _, (kind, claim, *values) = event
        if kind == ForwardedLine.__name__:
            ForwardedLine(claim).log()
        elif kind == ProgressReport.__name__:
            self._results.report_progress(ProgressReport(Claim(*claim), *values))
        else:
            begun = Begun(Claim(*claim), *values)
            self._watches.setdefault(begun.claim.number, AttemptWatch()).begin(begun)
            self._results.wake()

    def _done(self, future: Any) -> None:
        with self._lock:
            claims = self._futures.pop(future)
        for claim in claims:
            self._watches.pop(claim.number, None)
        if future.status != "finished":
            log.warning(
                "Dask worker lost with tasks %s: %s", [claim.tid for claim in claims], future.status
            )
            self._load.slow_down()
            self._results.report([], Lost.all_of(claims, self._losses.pop(future, None)))
            return
        outcomes, seconds = future.result()
        self._load.observe(seconds, len(outcomes))
        self._results.report(outcomes)


def run_claims(
    uri: str, max_tries: int, application: Application, claims: list[Claim], topic: str
) -> tuple[list[Outcome], float]:
    """Run the tasks of *claims* in this worker; return the outcomes and the seconds it took.

    The attempts report under *topic*.
    """
    started = time.monotonic()
    queue = ClaimQueue()
    queue.extend(claims)
    worker = distributed.get_worker()

    def report(attempt_report: AttemptReport) -> None:
        claim, *values = attempt_report
        worker.log_event(topic, [type(attempt_report).__name__, list(claim), *values])

    forwarder = LogForwarder(
        lambda line: worker.log_event(topic, [ForwardedLine.__name__, line.fields])
    )
    logging.getLogger().addHandler(forwarder)
    application.load()
    runner = Runner(_database(uri), max_tries, worker.address, report)
    try:
        outcomes = []
        while (claim := queue.take()) is not None:
            outcomes += runner.run(claim, queue)
    finally:
        runner.close()
        logging.getLogger().removeHandler(forwarder)
    return outcomes, time.monotonic() - started


def _database(uri: str) -> Database:
    with _opening:
        if uri not in _databases:
            _databases[uri] = open_database(uri)
        return _databases[uri]
