"""OpenTelemetry: a trace from enqueue to attempt to delivery, and metrics; needs the extra `otel`.

The context of the trace travels with the task, and with the changes that the task makes, as a W3C
traceparent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from livesync.hooks import DeliveryEvent, DeliveryHooks
from scheduler.hooks import AttemptEvent
from scheduler.runtime.context import current_run
from scheduler.tasks.naming import name_of
from scheduler.values.extras import extra_needed

with extra_needed():
    from opentelemetry import context, metrics, trace
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from scheduler.tasks.base import BaseTask

SCOPE = "zodb_relay"
TRACEPARENT = "traceparent"
NANOSECONDS = 1_000_000_000
_W3C = TraceContextTextMapPropagator()


class OpenTelemetryHooks(DeliveryHooks):
    """Makes spans and metrics by the providers that the application has set.

    Spans: `enqueue` (producer), `attempt` (consumer, the child of the enqueue), `deliver` (client,
    a child of the attempt whose change it brings, and linked with the others).
    """

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE)
        meter = metrics.get_meter(SCOPE)
        self._attempts = meter.create_counter("relay.attempts", description="ended attempts")
        self._seconds = meter.create_histogram("relay.attempt.duration", unit="s")
        self._records = meter.create_counter("relay.records", description="delivered records")
        self._failures = meter.create_counter("relay.deliveries.failed")
        self._open: dict[tuple[int, int], Span] = {}

    def on_enqueue(self, task: BaseTask) -> None:
        """Make the span of the enqueue, and let the task carry its context."""
        name = name_of(task)
        with self._tracer.start_as_current_span(f"enqueue {name}", kind=SpanKind.PRODUCER) as span:
            span.set_attributes({"relay.task": task.getId() or 0, "relay.class": name})
            carrier: dict[str, str] = {}
            _W3C.inject(carrier)
        for key, value in carrier.items():
            task.setHeader(key, value)

    @contextmanager
    def around_attempt(self, task: BaseTask) -> Iterator[None]:
        """Make the span of the attempt the current one while *task* runs."""
        parent = _W3C.extract(task.getHeaders())
        name = name_of(task)
        span = self._tracer.start_span(f"attempt {name}", parent, kind=SpanKind.CONSUMER)
        run = current_run()
        number = int(str(run.ids.get("attempt", 0))) if run is not None else 0
        self._open[task.getId() or 0, number] = span
        token = context.attach(trace.set_span_in_context(span, parent))
        try:
            yield
        finally:
            context.detach(token)

    def on_success(self, event: AttemptEvent) -> None:
        """End the span of the attempt, and count it."""
        self._end(event, Status(StatusCode.OK))

    def on_failure(self, event: AttemptEvent) -> None:
        """End the span of the attempt with the exception, and count it."""
        self._end(event, Status(StatusCode.ERROR, event.message))

    def on_change(self, action: Any) -> None:
        """Note with a change in which trace it was made."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        if TRACEPARENT in carrier:
            action.trace = carrier[TRACEPARENT]

    def on_delivered(self, event: DeliveryEvent) -> None:
        """Make the span of a batch, and count its records."""
        self._records.add(event.records, {"relay.agent": event.agent_id})
        contexts = [_W3C.extract({TRACEPARENT: each}) for each in event.traces]
        links = [Link(trace.get_current_span(each).get_span_context()) for each in contexts]
        end = int(event.ended.timestamp() * NANOSECONDS)
        span = self._tracer.start_span(
            f"deliver {event.agent_id}",
            contexts[0] if contexts else None,
            kind=SpanKind.CLIENT,
            links=links[1:],
            start_time=end - int(event.seconds * NANOSECONDS),
        )
        span.set_attributes({"relay.agent": event.agent_id, "relay.records": event.records})
        span.end(end)

    def on_delivery_failed(self, event: DeliveryEvent) -> None:
        """Count a run of an agent that failed."""
        self._failures.add(1, {"relay.agent": event.agent_id})

    def _end(self, event: AttemptEvent, status: Status) -> None:
        what = "success" if status.status_code is StatusCode.OK else "failure"
        labels = {"relay.class": event.name, "relay.queue": event.queue, "relay.outcome": what}
        self._attempts.add(1, labels)
        self._seconds.record(event.seconds, labels)
        span = self._open.pop((event.task_id, event.attempt), None)
        if span is None:
            return
        span.set_attributes({**labels, "relay.task": event.task_id, "relay.attempt": event.attempt})
        if event.error is not None:
            span.record_exception(event.error)
        span.set_status(status)
        span.end(int(event.ended.timestamp() * NANOSECONDS))
