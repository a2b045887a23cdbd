"""A webhook on completion: an address that is told, as JSON, how tasks have ended."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import httpx

from scheduler.hooks import AttemptEvent, Hooks
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.states import TASK_STATUS_FINISHED

log = logging.getLogger(__name__)

URL_VARIABLE = "RELAY_WEBHOOK"
TRIES = 3
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0


class CompletionWebhook(Hooks):
    """Posts to *url* (for None to $RELAY_WEBHOOK) when a task has finished, or is a dead letter.

    It is sent by a thread beside the work, three times if need be; a process that is killed
    loses what it has not sent. A message that must not be lost is a task of its own: see chains.
    """

    def __init__(self, url: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self._url = url or os.environ.get(URL_VARIABLE, "")
        self._headers = dict(headers or {})
        if not self._url:
            raise ValueError(f"a webhook needs its address: set ${URL_VARIABLE}")

    def on_success(self, event: AttemptEvent) -> None:
        """Post that a task has finished."""
        REGISTRY.later(self._post, event)

    def on_dead_letter(self, event: AttemptEvent) -> None:
        """Post that a task is a dead letter."""
        REGISTRY.later(self._post, event)

    def _post(self, event: AttemptEvent) -> None:
        for number in range(1, TRIES + 1):
            try:
                answer = httpx.post(
                    self._url, json=_facts(event), headers=self._headers, timeout=TIMEOUT_SECONDS
                )
                answer.raise_for_status()
            except httpx.HTTPError as error:
                if number == TRIES:
                    log.warning("the webhook did not hear of task %d: %s", event.task_id, error)
                else:
                    time.sleep(PAUSE_SECONDS * number)
            else:
                return


def _facts(event: AttemptEvent) -> dict[str, Any]:
    has_finished = event.state == TASK_STATUS_FINISHED
    return {
        "event": "finished" if has_finished else "dead letter",
        "task": event.task_id,
        "name": event.name,
        "queue": event.queue,
        "attempt": event.attempt,
        "started": event.started.isoformat(),
        "ended": event.ended.isoformat(),
        "message": event.message,
    }
