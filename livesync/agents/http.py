"""HttpAgent: the base of agents whose target is an address, and what they make of its answers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from livesync.agents.target import MEGABYTE, TargetAgent
from livesync.agents.timelimit import time_limit
from livesync.errors import AgentExecutionException, Overloaded, TargetFault
from scheduler.clock import nowutc
from scheduler.store.encryption import Sealed, resealed, seal, unseal

TIMEOUT_SECONDS = 30.0  # for connecting, and for each piece of what is sent and answered
LONGEST_EXCHANGE_SECONDS = 120.0  # for a request and its answer
LARGEST_ANSWER = 16 * MEGABYTE
SHOWN_CHARACTERS = 200
WANTS_IT_LATER = {408, 425, 429, 502, 503, 504, 507}
IS_NOT_ABOUT_RECORDS = {401, 402, 403, 404, 405, 406, 407, 410, 421, 426, 428, 451, 501, 505, 511}

Login = tuple[str, str]


class HttpAgent(TargetAgent):
    """Sends to the HTTP target at *url*; a user and a password in it are used, and never shown."""

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        url: str | None = None,
        *,
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, batch_size=batch_size)
        self.url = url or ""

    @property
    def url(self) -> str:
        """Where the target is, without user and password; ValueError for no http(s) address."""
        return self._address[0]

    @url.setter
    def url(self, url: str) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            # The text is not shown: there may be a password in it.
            raise ValueError(f"url is no address: {error}") from None
        if address.scheme not in {"http", "https"} or not address.host:
            raise ValueError(
                f"url is {shown(address)!r}: it must be an address with http:// or https://"
            )
        login = (address.username, seal(address.password)) if address.userinfo else None
        # Together, so that nobody gets the login that was meant for another address.
        self._address: tuple[str, tuple[str, Sealed] | None] = (
            str(address.copy_with(userinfo=b"")),
            login,
        )

    def _login(self) -> Login | None:
        """Return the user and the password that the target wants."""
        login = self._address[1]
        return None if login is None else (login[0], unseal(login[1]))

    def reseal(self) -> None:
        """Encrypt the login in the address with the installation's present key, and the rest."""
        super().reseal()
        url, login = self._address
        if login is not None and (sealed := resealed(login[1])) != login[1]:
            self._address = url, (login[0], sealed)

    @contextmanager
    def _connected(self) -> Iterator[HttpTarget]:
        login = self._login()
        logging.getLogger("httpx").addFilter(_without_secrets)  # a second time changes nothing
        with httpx.Client(timeout=TIMEOUT_SECONDS, auth=login) as client:
            yield HttpTarget(client, httpx.URL(self.url), login)


@dataclass(frozen=True)
class Answer:
    """The answer of a target to a request that it accepted."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def text(self) -> str:
        """The content as text, whatever it is."""
        return self.content.decode("utf-8", "replace")


class HttpTarget:
    """The target of one run: what is posted to it, and errors that say what it answered."""

    def __init__(self, client: httpx.Client, url: httpx.URL, login: Login | None) -> None:
        self._client = client
        self._url = url
        self._login = login
        self._socket: socket.socket | None = None

    def post(self, content: bytes, headers: dict[str, str], path: str = "") -> Answer:
        """Post *content* to *path* below the target's address; return a 2xx answer.

        Redirects are not followed. Raises Overloaded for 429 and where a gateway says that the
        target is not there, TargetFault for no answer, a redirect, or one about the address or
        the login, AgentExecutionException for any other, and for more than a few megabytes.
        """
        url = self._url.copy_with(path=self._url.path.rstrip("/") + path) if path else self._url
        return self._ask("POST", url, content, headers)

    def get(self, url: str, headers: dict[str, str]) -> Answer:
        """Return what is at *url*, relative to the target's address; raises as `post`.

        One on another server is refused: that has no business with the login.
        """
        address = self._url.join(url)
        if (address.scheme, address.netloc) != (self._url.scheme, self._url.netloc):
            raise AgentExecutionException(f"{shown(address)} is not on the server of the agent")
        return self._ask("GET", address, b"", headers)

    def _ask(self, method: str, url: httpx.URL, content: bytes, headers: dict[str, str]) -> Answer:
        try:
            answer, reason = self._exchange(method, url, content, headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise TargetFault(
                f"{shown(url)} cannot be reached ({type(error).__name__}: {error}): check the "
                "agent's URL, and that its target is up"
            ) from error
        if not 200 <= answer.status < 300:
            raise self._refusal(url, answer, reason)
        if len(answer.content) > LARGEST_ANSWER:
            raise AgentExecutionException(
                f"{shown(url)} answered with more than {LARGEST_ANSWER:,} bytes"
            )
        return answer

    def _exchange(
        self, method: str, url: httpx.URL, content: bytes, headers: dict[str, str]
    ) -> tuple[Answer, str]:
        # Not compressed: a small answer cannot grow while it is read.
        headers = {"Accept-Encoding": "identity", **headers}
        watched = {"trace": self._trace}
        with (
            time_limit(LONGEST_EXCHANGE_SECONDS, self._descriptor),
            self._client.stream(
                method, url, content=content, headers=headers, extensions=watched
            ) as response,
        ):
            received = bytearray()
            for piece in response.iter_raw():
                received += piece
                if len(received) > LARGEST_ANSWER or not response.is_success:
                    break  # the beginning tells enough
            answer = Answer(response.status_code, response.headers, bytes(received))
            return answer, response.reason_phrase

    def _trace(self, event: str, info: dict[str, Any]) -> None:
        """Note the socket of each new connection, of which there is one at a time."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")

    def _descriptor(self) -> int | None:
        return None if self._socket is None or self._socket.fileno() < 0 else self._socket.fileno()

    def _refusal(self, url: httpx.URL, answer: Answer, reason: str) -> AgentExecutionException:
        said = f"{shown(url)} answered {answer.status} {reason}".rstrip()
        if answer.status in WANTS_IT_LATER:
            return Overloaded(said, retry_after(answer.headers))
        if 300 <= answer.status < 400:
            return TargetFault(
                f"{said}: redirects are not followed; give the agent the address itself"
            )
        kind = TargetFault if answer.status in IS_NOT_ABOUT_RECORDS else AgentExecutionException
        return kind(f"{said} instead of accepting: {self.quote(answer)}")

    def quote(self, answer: Answer) -> str:
        """Return the beginning of *answer* as one line, for an error."""
        text = answer.text[: 10 * SHOWN_CHARACTERS]
        for secret in self._login or ():
            text = text.replace(secret, "***") if secret else text
        printable = "".join(mark if mark.isprintable() else " " for mark in text)
        return " ".join(printable.split())[:SHOWN_CHARACTERS]


def shown(url: httpx.URL) -> str:
    """Return *url* without what may be secret in it: user, password and query."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that the header `Retry-After` asks for; None without a usable one."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    aware: datetime = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - nowutc()).total_seconds())


class _WithoutSecrets(logging.Filter):
    """Takes what may be secret out of the addresses that httpx logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                shown(value) if isinstance(value, httpx.URL) else value for value in record.args
            )
        return True


_without_secrets = _WithoutSecrets()
