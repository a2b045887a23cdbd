"""Limits on requests: how many a key, a token or an address may send, and how many wrong ones."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from export.auth.token_buckets import Bucket, Rate, TokenBuckets, network_of
from export.errors import TooManyRequests
from export.http.request import ExportRequest
from export.people.secret import digest

MINUTE = 60.0
WRONG = Rate(1000, 0.1)
"""How many wrong keys, tokens and signatures of one address are looked at."""


@dataclass(frozen=True)
class Allowance:
    """The requests a caller may still send: `left` of `limit` now, all of them in `seconds`."""

    limit: int
    left: int
    seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell it."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.seconds),
        }


class RequestLimits:
    """The limits of one process: *per_minute* requests of each key or address, any for 0."""

    def __init__(self, per_minute: int) -> None:
        self._rate = Rate(per_minute, MINUTE / per_minute) if per_minute else None
        self._buckets = TokenBuckets()
        self._lock = threading.Lock()

    def admit(self, request: ExportRequest) -> Allowance | None:
        """Count *request*; return what is left, None without a limit. Raises TooManyRequests."""
        shown = request.shown_credential
        with self._lock:
            if shown is not None:
                self._check(_wrong(request), WRONG, "Too many wrong keys: try again later")
            if self._rate is None:
                return None
            bucket = ("key", digest(shown)) if shown is not None else _address(request)
            self._check(bucket, self._rate, "Too many requests: try again later", self._rate.burst)
            return _allowance(self._rate, self._buckets.add(bucket, self._rate))

    def note_wrong(self, request: ExportRequest) -> None:
        """Count a key, token or signature that opens nothing."""
        with self._lock:
            self._buckets.add(_wrong(request), WRONG)

    def _check(self, bucket: Bucket, rate: Rate, message: str, told: int | None = None) -> None:
        """Raise TooManyRequests if *bucket* is full; it tells the limit *told*, unless None."""
        wait = self._buckets.wait(bucket, rate)
        if wait > 0:
            error = TooManyRequests(message, wait)
            if told is not None:
                error.headers |= _allowance(rate, told).headers
            raise error


def _allowance(rate: Rate, level: float) -> Allowance:
    """Return what is left where so much, *level*, of what *rate* allows is used."""
    left = max(0, math.floor(rate.burst - level))
    return Allowance(rate.burst, left, math.ceil(level * rate.seconds))


def _address(request: ExportRequest) -> Bucket:
    return ("address", network_of(request.remote_address))


def _wrong(request: ExportRequest) -> Bucket:
    return ("wrong", network_of(request.remote_address))
