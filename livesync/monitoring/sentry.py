"""Sentry: failures of tasks, agents and workers as events of its SDK; needs the extra `sentry`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from livesync.hooks import DeadRecordEvent, DeliveryEvent, DeliveryHooks
from scheduler.hooks import AttemptEvent, WorkerEvent
from scheduler.values.extras import extra_needed

with extra_needed():
    import sentry_sdk


class SentryHooks(DeliveryHooks):
    """Sends dead letters to Sentry, with *every_failure* failed attempts that are retried, too.

    Where the application has not called `sentry_sdk.init`, it is called here, with $SENTRY_DSN.
    """

    def __init__(self, *, every_failure: bool = False) -> None:
        self._every_failure = every_failure
        if not sentry_sdk.is_initialized() and os.environ.get("SENTRY_DSN"):
            sentry_sdk.init()

    def on_retry(self, event: AttemptEvent) -> None:
        """Send a failed attempt that is followed by another, if they are to be sent."""
        if self._every_failure:
            self._send_attempt(event, "warning")

    def on_dead_letter(self, event: AttemptEvent) -> None:
        """Send the last failure of a task."""
        self._send_attempt(event, "error")

    def on_worker_lost(self, event: WorkerEvent) -> None:
        """Send the loss of a worker."""
        tasks = ", ".join(map(str, event.task_ids)) or "none"
        _send(f"worker {event.worker} {event.ending}; tasks: {tasks}", "error", {})

    def on_delivery_failed(self, event: DeliveryEvent) -> None:
        """Send the failure of an agent."""
        _send(f"agent failed: {event.reason}", "warning", {"relay.agent": event.agent_id})

    def on_record_dead_letter(self, event: DeadRecordEvent) -> None:
        """Send a record that its target refuses."""
        _send(event.text, "error", {"relay.agent": event.agent_id})

    def _send_attempt(self, event: AttemptEvent, level: str) -> None:
        tags = {
            "relay.task": str(event.task_id),
            "relay.class": event.name,
            "relay.attempt": str(event.attempt),
            "relay.queue": event.queue,
            "relay.worker": event.worker,
        }
        _send(f"{event.name}: {event.message}", level, tags, event.error)


def _send(
    text: str, level: str, tags: Mapping[str, str], error: BaseException | None = None
) -> None:
    with sentry_sdk.new_scope() as scope:
        scope.set_level(level)  # type: ignore[arg-type]
        for name, value in tags.items():
            scope.set_tag(name, value)
        if error is not None:
            sentry_sdk.capture_exception(error)
        else:
            sentry_sdk.capture_message(text)
