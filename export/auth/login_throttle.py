"""Guesses: wrong passwords are slowed down per account and address, before they are checked."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from ZODB import DB

from export.auth.token_buckets import REMEMBERED, Bucket, Rate, TokenBuckets, network_of
from export.errors import TooManyGuesses

log = logging.getLogger(__name__)

LONGEST_NAME = 100
"""How much of an account's name tells it from others."""

AT_ONCE = 2
"""How many requests may wait for the check of a password, which takes a tenth of a second; the
other threads of the front end go on serving."""


ACCOUNT = Rate(10, 60.0)
ADDRESS = Rate(30, 10.0)


class Guesses:
    """The guesses of one database's passwords in this process, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets = TokenBuckets()
        self._known: OrderedDict[Bucket, None] = OrderedDict()
        self._waiting = threading.BoundedSemaphore(AT_ONCE)
        self._checking = threading.Lock()

    def admit(self, account: str, address: str) -> None:
        """Count a guess. Raises TooManyGuesses for one too many, which is not to be checked."""
        with self._lock:
            rates = self._rates(account, address)
            wait = max(self._buckets.wait(bucket, rate) for bucket, rate in rates.items())
            if wait > 0:
                raise TooManyGuesses("Too many wrong passwords: try again later", wait)
            for bucket, rate in rates.items():
                if self._buckets.add(bucket, rate) > rate.burst - 1:
                    log.warning("guesses of %s are slowed down", " ".join(map(repr, bucket)))

    def succeeded(self, account: str, address: str) -> None:
        """Forget the wrong guesses of *account*: this was its password."""
        with self._lock:
            for bucket, rate in self._rates(account, address).items():
                is_account = bucket[0] != "address"
                left = 0.0 if is_account else self._buckets.level(bucket, rate) - 1
                self._buckets.put(bucket, max(left, 0.0))
            own = account[:LONGEST_NAME], network_of(address)
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
        account, network = account[:LONGEST_NAME], network_of(address)
        # Guesses from elsewhere do not lock out a user who has logged in from this network before.
        is_known = (account, network) in self._known
        own: Bucket = ("account", account, network) if is_known else ("account", account)
        rates = {own: ACCOUNT}
        if network:
            rates[("address", network)] = ADDRESS
        return rates


_OF: WeakKeyDictionary[DB, Guesses] = WeakKeyDictionary()
_MAKING = threading.Lock()


def guesses_of(database: DB) -> Guesses:
    """Return the guesses of *database*'s passwords."""
    with _MAKING:
        return _OF.setdefault(database, Guesses())
