"""A period is a number of seconds, or what people write for it.

Covers `scheduler.values.duration`.
"""

from __future__ import annotations

import math

import pytest

from scheduler.values.duration import period


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("forever", math.inf),
        (math.inf, math.inf),
    ],
)
def test_a_period_is_read_as_seconds(written, seconds):
    assert period(written) == seconds


@pytest.mark.parametrize(
    "written", [True, -1, "", "-1", "s", "1y", "1 d", "weekly", None, math.nan]
)
def test_what_is_no_period_is_refused_with_the_ways_to_write_one(written):
    with pytest.raises(ValueError, match="give seconds, or a text such as '12h'"):
        period(written)
