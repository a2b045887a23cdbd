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
        if is_held("HTTP", f"{request.method} {request.url.copy_with(userinfo=b'')}"):
            return httpx.Response(200, request=request)
        run = current_run()
        if run is not None and request.method not in SAFE_METHODS:
            request.headers.setdefault(KEY_HEADER, run.key())
        return super().send(request, **options)
