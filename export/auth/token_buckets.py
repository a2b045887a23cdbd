"""Token buckets: how often something may be done at once, and how often after that."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from time import monotonic
from typing import NamedTuple

REMEMBERED = 20_000
"""How many buckets are remembered; the ones used last."""

Bucket = tuple[str, ...]


class Rate(NamedTuple):
    """*burst* times at once, then once every *seconds*."""

    burst: int
    seconds: float


class TokenBuckets:
    """How full each bucket is; for one thread at a time."""

    def __init__(self) -> None:
        self._levels: OrderedDict[Bucket, tuple[float, float]] = OrderedDict()

    def level(self, bucket: Bucket, rate: Rate) -> float:
        """Return how much is in *bucket* now."""
        now = monotonic()
        level, then = self._levels.get(bucket, (0.0, now))
        return max(0.0, level - (now - then) / rate.seconds)

    def wait(self, bucket: Bucket, rate: Rate) -> float:
        """Return the seconds until one more fits into *bucket*; 0 or less if one does now."""
        return (self.level(bucket, rate) + 1 - rate.burst) * rate.seconds

    def put(self, bucket: Bucket, level: float) -> None:
        """Set how much is in *bucket* now."""
        self._levels[bucket] = (level, monotonic())
        self._levels.move_to_end(bucket)
        if len(self._levels) > REMEMBERED:
            self._levels.popitem(last=False)

    def add(self, bucket: Bucket, rate: Rate) -> float:
        """Put one more into *bucket*; return how much is in it then."""
        level = self.level(bucket, rate) + 1
        self.put(bucket, level)
        return level


def network_of(address: str) -> str:
    """Return the address; of one of IPv6 the network, of which one site has all addresses."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
