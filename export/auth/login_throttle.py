"""Guesses: wrong passwords are slowed down per account and address, before they are checked."""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ZODB import DB

from export.errors import TooManyGuesses

log = logging.getLogger(__name__)

REMEMBERED = 20_000
"""How many accounts and addresses are remembered; the ones seen last."""

LONGEST_NAME = 100
"""How much of an account's name tells it from others."""

AT_ONCE = 2
"""How many requests may wait for the check of a password, which takes a tenth of a second; the
other threads of the front end go on serving."""


class Rate(NamedTuple):
    """A token bucket: *burst* guesses at once, then one every *seconds*."""

    burst: int
    seconds: float


ACCOUNT = Rate(10, 60.0)
ADDRESS = Rate(30, 10.0)

Bucket = tuple[str, ...]


class Guesses:
    """The guesses of one database's passwords in this process, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[Bucket, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[Bucket, None] = OrderedDict()
        self._waiting = threading.BoundedSemaphore(AT_ONCE)
        self._checking = threading.Lock()

    def admit(self, account: str, address: str) -> None:
        """Count a guess. Raises TooManyGuesses for one too many, which is not to be checked."""
        now = monotonic()
        with self._lock:
            rates = self._rates(account, address)
            wait = max(self._wait(bucket, rate, now) for bucket, rate in rates.items())
            if wait > 0:
                raise TooManyGuesses("Too many wrong passwords: try again later", wait)
            for bucket, rate in rates.items():
                level = self._level(bucket, rate, now) + 1
                self._put(bucket, level, now)
                if level > rate.burst - 1:
                    log.warning("guesses of %s are slowed down", " ".join(map(repr, bucket)))

    def succeeded(self, account: str, address: str) -> None:
        """Forget the wrong guesses of *account*: this was its password."""
        now = monotonic()
        with self._lock:
            for bucket, rate in self._rates(account, address).items():
                is_account = bucket[0] != "address"
                left = 0.0 if is_account else self._level(bucket, rate, now) - 1
                self._put(bucket, max(left, 0.0), now)
            own = account[:LONGEST_NAME], _network(address)
            self._known[own] = None
            self._known.move_to_end(own)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Hold the only turn to check a password. Raises TooManyGuesses where too many wait."""
        if not self._waiting.acquire(blocking=False):
            raise TooManyGuesses("Too many people log in at the moment: try again", 1)
        try:
            with self._checking:
                yield
        finally:
            self._waiting.release()

    def _rates(self, account: str, address: str) -> dict[Bucket, Rate]:
        account, network = account[:LONGEST_NAME], _network(address)
        # Guesses from elsewhere do not lock out a user who has logged in from this network before.
        is_known = (account, network) in self._known
        own: Bucket = ("account", account, network) if is_known else ("account", account)
        rates = {own: ACCOUNT}
        if network:
            rates[("address", network)] = ADDRESS
        return rates

    def _level(self, bucket: Bucket, rate: Rate, now: float) -> float:
        level, then = self._counts.get(bucket, (0.0, now))
        return max(0.0, level - (now - then) / rate.seconds)

    def _wait(self, bucket: Bucket, rate: Rate, now: float) -> float:
        return (self._level(bucket, rate, now) + 1 - rate.burst) * rate.seconds

    def _put(self, bucket: Bucket, level: float, now: float) -> None:
        self._counts[bucket] = (level, now)
        self._counts.move_to_end(bucket)
        if len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)


def _network(address: str) -> str:
    """Return the address; of one of IPv6 the network, of which one site has all addresses."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


_OF: WeakKeyDictionary[DB, Guesses] = WeakKeyDictionary()
_MAKING = threading.Lock()


def guesses_of(database: DB) -> Guesses:
    """Return the guesses of *database*'s passwords."""
    with _MAKING:
        return _OF.setdefault(database, Guesses())
