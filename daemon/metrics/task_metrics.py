"""Counters and histograms of attempts, by the name of the task and its queue."""

from __future__ import annotations

from collections import Counter as Tally

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from daemon.metrics.labels import OTHER, queue_label, shown_label
from scheduler.dispatch.tick_counts import TickCounts
from scheduler.tasks.hooks import Hooks, WorkerEvent
from scheduler.worker.measure import DEAD, ENDINGS, RETRIED, Measure

MOST_SERIES = 100
"""How many pairs of a task and a queue have numbers of their own; all others are "other"."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LABELS = ("task", "queue")

disable_created_metrics()  # type: ignore[no-untyped-call] # a series of its own for each counter, which nobody draws


class TaskMetrics(Hooks):
    """The numbers of what this process has led, since it began.

    `note` is called with each commit of the leader, and the hook with each worker that is lost.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = _Families(registry)
        self._conflicts = _counter(registry, "task_conflicts", "Conflicts of attempts.", ("task",))
        about = "Commits of the scheduler, and those of workers with attempts."
        self._commits = _counter(registry, "commits", about, ("by",))
        self._workers_lost = _counter(registry, "workers_lost", "Worker processes lost.", ())
        self._series: dict[tuple[str, str], _Series] = {}
        for by in ("scheduler", "workers"):
            self._commits.labels(by)

    def note(self, counts: TickCounts) -> None:
        """Count what a commit of the leader has brought."""
        if counts.has_written:
            self._commits.labels("scheduler").inc()
        for (name, queue), number in Tally(counts.enqueued).items():
            self._of(name, queue).enqueued.inc(number)
        for measure in counts.measures:
            self._of(measure.name, measure.queue).count(measure)
            if measure.committed and not measure.shared:
                self._commits.labels("workers").inc()
        for name, times in counts.conflicts:
            is_known = any(name == task for task, _ in self._series)
            self._conflicts.labels(shown_label(name) if is_known else OTHER).inc(times)

    def on_worker_lost(self, event: WorkerEvent) -> None:
        """Count a worker process that was lost."""
        self._workers_lost.inc()

    def _of(self, name: str, queue: str) -> _Series:
        pair = (name, queue)
        if pair not in self._series and len(self._series) >= MOST_SERIES:
            pair = (OTHER, OTHER)
        if pair not in self._series:
            labels = (shown_label(pair[0]), queue_label(pair[1]))
            self._series[pair] = _Series(self._families, *labels)
        return self._series[pair]


class _Families:
    """The families whose series are by task and queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, about: str, *more: str) -> Counter:
            return _counter(registry, name, about, (*LABELS, *more))

        def histogram(name: str, about: str) -> Histogram:
            return Histogram(f"relay_{name}", about, LABELS, registry=registry, buckets=SECONDS)

        self.enqueued = counter("tasks_enqueued", "Tasks taken out of the spool.")
        self.started = counter("attempts_started", "Attempts begun, counted at their end.")
        self.ended = counter("attempts", "Attempts that have ended, by how they did.", "state")
        self.failed = counter("attempts_failed", "Attempts that failed, retried or dead.")
        self.lost = counter("attempts_lost", "Attempts whose worker was lost.")
        self.waited = histogram("task_wait_seconds", "From the date when it was due to its begin.")
        self.ran = histogram("task_run_seconds", "From its begin to its commit.")
        self.committed = histogram("task_commit_seconds", "The commit, which several may share.")


class _Series:
    """The series of one task and queue, looked up once."""

    def __init__(self, families: _Families, task: str, queue: str) -> None:
        self.enqueued = families.enqueued.labels(task, queue)
        self._started = families.started.labels(task, queue)
        self._ended = {each: families.ended.labels(task, queue, each) for each in ENDINGS}
        self._failed = families.failed.labels(task, queue)
        self._lost = families.lost.labels(task, queue)
        self._waited = families.waited.labels(task, queue)
        self._ran = families.ran.labels(task, queue)
        self._committed = families.committed.labels(task, queue)

    def count(self, measure: Measure) -> None:
        """Count one attempt."""
        self._started.inc()
        self._ended[measure.ending].inc()
        self._waited.observe(measure.waited)
        self._ran.observe(measure.ran)
        if measure.ending in (RETRIED, DEAD):
            self._failed.inc()
        if measure.lost:
            self._lost.inc()
        else:
            self._committed.observe(measure.committed)


def _counter(
    registry: CollectorRegistry, name: str, about: str, labels: tuple[str, ...]
) -> Counter:
    return Counter(f"relay_{name}", about, labels, registry=registry)
