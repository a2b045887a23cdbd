"""Sentry, OpenTelemetry and a webhook hear of tasks and agents by their real libraries.

Covers `livesync.hooks`, `livesync.monitoring.opentelemetry`, `livesync.monitoring.sentry`,
`livesync.monitoring.webhook`.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import pytest
import sentry_sdk
import transaction
from opentelemetry import context, metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

from livesync import ActionWrapper, PushSyncAgent, RecordUploader, SyncManager
from livesync.delivery.deliverer import Deliverer
from livesync.hooks import DeliveryHooks, add
from livesync.monitoring.opentelemetry import OpenTelemetryHooks
from livesync.monitoring.sentry import SentryHooks
from livesync.monitoring.webhook import CompletionWebhook
from scheduler import nowutc
from scheduler.errors import SchedulerConfigurationException
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.store import current
from scheduler.tasks import OneShotTask
from tests.livesync.agents_for_tests import FailingAgent, ListAgent
from tests.serving import serving
from tests.waiting import DEADLINE

URL = "https://key@sentry.example.org/1"


@pytest.fixture(autouse=True)
def hooks_as_they_were(monkeypatch):
    for name, value in (("_hooks", []), ("_names", set()), ("_failed", set())):
        monkeypatch.setattr(REGISTRY, name, value)


class Change(OneShotTask):
    """Records a change."""

    def run(self):
        now = nowutc().timestamp()
        root = current().root()
        SyncManager.getDBInstance().add(now, ActionWrapper(int(now), root, {"created"}, "1"))


class Fail(OneShotTask):
    maxTries = 1
    queueName = "mail"

    def run(self):
        raise ValueError("no luck")


class RefusedUploader(RecordUploader):
    def _uploadBatch(self, batch):
        from livesync.errors import PartialFailure

        reasons = dict.fromkeys(range(len(batch)), "too long")
        raise PartialFailure("nothing was sent", reasons, reasons.keys())


class RefusedAgent(PushSyncAgent):
    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return RefusedUploader(logger, self).iterateOver(data, dbi)


def deliver(relay, agent):
    """Deliver what *agent* has before it."""
    SyncManager.getDBInstance(relay.connection).registerNewAgent(agent)
    agent.setActive(True)
    transaction.commit()
    Deliverer(relay.database, agent.getId()).deliver(None)


def run(relay, task):
    relay.enqueue(task)
    relay.run_due()


class Hearing(DeliveryHooks):
    def __init__(self):
        self.heard = []

    def on_delivered(self, event):
        self.heard.append((event.agent_id, event.records))

    def on_delivery_failed(self, event):
        self.heard.append((event.agent_id, event.reason))

    def on_record_dead_letter(self, event):
        self.heard.append((event.agent_id, event.text))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(ListAgent, 1), (FailingAgent, "OSError: the target is down"), (RefusedAgent, "dead letter")],
)
def test_hooks_hear_what_becomes_of_a_delivery(relay, kind, expected):
    hook = Hearing()
    add(hook)
    run(relay, Change(nowutc()))
    deliver(relay, kind("a", "", "", 1))
    agent_id, what = hook.heard[0]
    assert agent_id == "a"
    assert what == expected or expected in str(what)


class Kept(Transport):
    """Keeps what is sent to Sentry."""

    def __init__(self):
        super().__init__()
        self.events = []

    def capture_envelope(self, envelope):
        event = envelope.get_event()
        if event is not None:
            self.events.append(event)


@pytest.fixture
def sentry():
    kept = Kept()
    client = sentry_sdk.get_client()
    sentry_sdk.init(URL, transport=kept, default_integrations=False)
    yield kept
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(client)


def test_a_dead_letter_is_an_event_of_sentry_with_exception_and_ids(relay, sentry):
    add(SentryHooks())
    run(relay, task := Fail(nowutc()))
    (event,) = sentry.events
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("ValueError", "no luck")
    assert exception["stacktrace"]["frames"][-1]["function"] == "run"
    assert event["level"] == "error"
    assert event["tags"]["relay.task"] == str(task.getId())
    assert event["tags"]["relay.queue"] == "mail"


def test_a_failed_agent_is_an_event_of_sentry(relay, sentry):
    add(SentryHooks())
    run(relay, Change(nowutc()))
    deliver(relay, FailingAgent("a", "", "", 1))
    (event,) = sentry.events
    assert event["message"] == "agent failed: OSError: the target is down"
    assert event["tags"] == {"relay.agent": "a"}


@pytest.fixture(scope="module")
def telemetry():
    """The spans and metrics of this process, which has one provider of each for good."""
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    return spans, reader


def test_one_trace_goes_from_a_request_over_enqueue_and_attempt_to_the_delivery(relay, telemetry):
    spans, _ = telemetry
    spans.clear()
    add(OpenTelemetryHooks())
    with trace.get_tracer("web").start_as_current_span("request"):
        relay.enqueue(task := Change(nowutc()))
    relay.run_due()
    deliver(relay, ListAgent("a", "", "", 1))
    by_name = {span.name.split(" ")[0]: span for span in spans.get_finished_spans()}
    assert {span.context.trace_id for span in by_name.values()} == {
        by_name["request"].context.trace_id
    }
    order = ["request", "enqueue", "attempt", "deliver"]
    for parent, child in pairwise(order):
        assert by_name[child].parent.span_id == by_name[parent].context.span_id
    assert by_name["attempt"].attributes["relay.task"] == task.getId()
    assert by_name["deliver"].attributes["relay.records"] == 1
    assert task.getHeaders()["traceparent"].startswith("00-")
    assert context.get_current() == {}


def test_a_failed_attempt_is_a_span_with_its_exception_and_counted(relay, telemetry):
    spans, reader = telemetry
    spans.clear()
    add(OpenTelemetryHooks())
    run(relay, Fail(nowutc()))
    attempt = next(span for span in spans.get_finished_spans() if span.name.startswith("attempt"))
    assert attempt.status.description == "ValueError: no luck"
    assert attempt.events[0].attributes["exception.type"] == "ValueError"
    (resource,) = reader.get_metrics_data().resource_metrics
    found = {each.name: each for each in resource.scope_metrics[0].metrics}
    points = found["relay.attempts"].data.data_points
    assert [p.value for p in points if p.attributes["relay.outcome"] == "failure"] == [1]
    assert found["relay.attempt.duration"].unit == "s"


@pytest.fixture
def receiver():
    """A server that keeps what is posted to it; the first time it fails."""
    posted = []
    enough = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append((self.headers["Authorization"], body))
            self.send_response(503 if len(posted) == 1 else 204)
            self.end_headers()
            if len(posted) == 3:
                enough.set()

        def log_message(self, *args):
            """Be silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/", posted, enough


def test_a_webhook_is_told_of_completion_and_tried_again(relay, receiver):
    url, posted, enough = receiver
    add(CompletionWebhook(url, {"Authorization": "secret"}))
    run(relay, done := Change(nowutc()))
    run(relay, failed := Fail(nowutc()))
    assert enough.wait(DEADLINE)
    assert {key for key, _ in posted} == {"secret"}
    facts = [(body["event"], body["task"], body["message"]) for _, body in posted]
    assert facts == [
        ("finished", done.getId(), ""),
        ("finished", done.getId(), ""),
        ("dead letter", failed.getId(), "ValueError: no luck"),
    ]


def test_a_webhook_without_an_address_is_refused(monkeypatch):
    monkeypatch.delenv("RELAY_WEBHOOK", raising=False)
    with pytest.raises(SchedulerConfigurationException, match="set \\$RELAY_WEBHOOK"):
        REGISTRY.load(["livesync.monitoring.webhook:CompletionWebhook"])
