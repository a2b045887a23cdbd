"""How long ended tasks and occurrences are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Keep:
    """A limit on what is kept: the newest *count*, and none that ended over *seconds* ago."""

    seconds: float = math.inf
    count: float = math.inf

    def allows(self, age: float, newer: int) -> bool:
        """Say whether what ended *age* seconds ago is kept, when so many are *newer*."""
        return age <= self.seconds and newer < self.count
