"""The HTTP client for tasks: its calls carry idempotency keys, and a dry run sends none."""

from __future__ import annotations

from typing import Any

import httpx

from scheduler.runtime.context import current_run
from scheduler.runtime.side_effects import is_held

KEY_HEADER = "Idempotency-Key"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class TaskClient(httpx.Client):
    """An `httpx.Client` that adds an `Idempotency-Key` to unsafe requests.

    An attempt may be repeated after a conflict or a crash, and its calls with it. The key is made
    of the task, its occurrence and the number of the call in the attempt, so that the receiver
    recognizes a repetition; a request that has a key keeps it. A dry run sends nothing: it gets
    an empty answer 200 and lists the call.
    """

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send *request*, as `httpx.Client.send` does."""
        what = f"{request.method} {request.url.copy_with(userinfo=b'')}"
        if is_held("HTTP", what):
            return httpx.Response(200, request=request)
        run = current_run()
        if run is None or request.method in SAFE_METHODS:
            return super().send(request, **options)
        what = f"{what} with key {request.headers.setdefault(KEY_HEADER, run.key())}"
        try:
            response = super().send(request, **options)
        except httpx.HTTPError as error:
            run.note_sent(f"{what}: {type(error).__name__}")
            raise
        run.note_sent(f"{what}: {response.status_code}")
        return response
