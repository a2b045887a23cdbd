"""What is no HTTP, or too much of it, and never reaches the application: told like its errors."""

from __future__ import annotations

import json
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask


class Refusal(ErrorTask):
    """The answer to such a request, in the shape of the export's errors (reference 5.1)."""

    def execute(self) -> None:
        """Write it, and close the connection: what follows on it is not understood."""
        error: Any = self.request.error
        told = {"message": error.body, "_type": "HTTPAPIError", "_fossil": "hTTPAPIError"}
        body = json.dumps(told).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(HTTPChannel):
    """A connection on which what cannot be served is answered by a Refusal."""

    error_task_class = Refusal
