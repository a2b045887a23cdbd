"""The answer to requests that are not HTTP or too large, in the shape of the export's errors."""

from __future__ import annotations

import json
import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from daemon.web.answer_task import AnswerTask


class BadRequestTask(ErrorTask):
    """The answer to a request that never reaches the application (reference 5.1)."""

    def execute(self) -> None:
        """Write the answer and close the connection: the rest of its data is not understood."""
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


class Parser(HTTPRequestParser):
    """A request with one statement of its length only."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header; raises ParsingError if two servers could see two ends of the request."""
        super().parse_header(header_plus)
        names = [line.partition(b":")[0].strip().lower() for line in header_plus.splitlines()[1:]]
        if b"transfer-encoding" in names and (b"content-length" in names or self.version != "1.1"):
            raise ParsingError("Content-Length and Transfer-Encoding exclude each other")
        if names.count(b"content-length") > 1 or names.count(b"transfer-encoding") > 1:
            raise ParsingError("The length of the body is told twice")


class Channel(HTTPChannel):
    """A connection on which a bad request is answered by BadRequestTask.

    It knows since when it waits for the rest of a request, of which `receives_body` tells the
    part.
    """

    task_class = AnswerTask
    error_task_class = BadRequestTask
    parser_class = Parser

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waits_since = time.monotonic()
        self.is_begun = False
        self.receives_body = False

    def received(self, data: bytes) -> bool:
        """Take received data in, and note the time at which a part of a request begins."""
        result: bool = super().received(data)
        part = (self.request is not None, self._is_in_body())
        if part != (self.is_begun, self.receives_body) or self.request is None:
            self.is_begun, self.receives_body = part
            self.waits_since = time.monotonic()
        return result

    def service(self) -> None:
        """Answer a request, and note that the wait for the next one begins."""
        super().service()
        self.waits_since = time.monotonic()

    def _is_in_body(self) -> bool:
        return self.request is not None and bool(self.request.headers_finished)
