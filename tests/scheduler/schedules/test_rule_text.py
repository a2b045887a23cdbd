"""Recurrence rules, read from their texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.schedules.rule import Rule
from scheduler.schedules.rule_text import rule_from_text


@pytest.mark.parametrize(
    ("text", "frequency", "arguments"),
    [
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30;BYSECOND=0", 3, {"byhour": 9, "byminute": (0, 30)}),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR,2MO;COUNT=5", 1, {"count": 5}),
        ("freq=weekly;interval=2;wkst=SU;byday=MO", 2, {"interval": 2}),
        ("FREQ=YEARLY;UNTIL=20300101T000000Z;BYMONTH=1;BYMONTHDAY=1", 0, {}),
    ],
)
def test_a_rule_is_read_from_its_text(text, frequency, arguments):
    rule = rule_from_text(text, "Europe/Zurich", datetime(2026, 1, 5, 8, tzinfo=UTC))
    assert isinstance(rule, Rule)
    assert rule.frequency == frequency
    assert rule.zone == "Europe/Zurich"
    kept = {"count": rule.arguments.get("count"), **rule.arguments}
    for name, value in arguments.items():
        given = kept[name]
        assert given in (value, (value,)) or given == value
    assert rule.first() >= datetime(2026, 1, 5, 8, tzinfo=UTC)


def test_a_rule_has_the_dates_of_its_text():
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rule = rule_from_text("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "UTC", start)
    first = rule.first()
    assert first == datetime(2026, 1, 30, 9, tzinfo=UTC)
    assert rule.after(first) == datetime(2026, 2, 27, 9, tzinfo=UTC)
    assert rule.after(first + timedelta(days=40)) == datetime(2026, 3, 27, 9, tzinfo=UTC)
