"""A period is a number of seconds, or what people write for it.

Covers `scheduler.values.duration`.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.values.duration import UNITS, period


@given(st.floats(0, 1e6), st.sampled_from(sorted(UNITS)))
def test_a_period_is_read_in_each_unit_and_in_seconds_without_one(number, unit):
    text = f"{number:.3f}{unit}"
    assert period(text) == float(f"{number:.3f}") * UNITS[unit]


def test_a_period_may_be_a_number_or_have_no_end():
    assert period(90) == 90
    assert period("forever") == math.inf
    assert period(math.inf) == math.inf


@pytest.mark.parametrize("value", ["", "d", "-1", "-1d", "1 d", "1y", -1, True, None, math.nan])
def test_what_is_no_period_is_refused_with_the_ways_to_write_one(value):
    with pytest.raises(ValueError, match="is no period: give seconds, or a text such as '12h'"):
        period(value)
