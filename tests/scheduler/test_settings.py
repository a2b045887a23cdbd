"""Settings are checked before anything is started."""

from __future__ import annotations

import pytest

from scheduler import Scheduler
from scheduler.errors import SchedulerConfigurationException


def test_an_unknown_option_is_named_with_the_known_ones():
    with pytest.raises(SchedulerConfigurationException) as error:
        Scheduler(slep_interval=1)
    message = str(error.value)
    for word in (
        "slep_interval",
        "did you mean 'sleep_interval'",
        "multitask_mode",
        "task_max_tries",
        "awol_tasks_check_probability",
        "database",
    ):
        assert word in message


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("multitask_mode", "fibres"),
        ("multitask_mode", None),
        ("sleep_interval", -1),
        ("sleep_interval", "often"),
        ("sleep_interval", True),
        ("sleep_interval", float("nan")),
        ("task_max_tries", 0),
        ("task_max_tries", 1.5),
        ("task_max_tries", True),
        ("awol_tasks_check_probability", 1.1),
        ("awol_tasks_check_probability", "0.5"),
        ("workers", 0),
        ("shutdown_timeout", -1),
    ],
)
def test_a_value_of_no_use_is_named(option, value):
    with pytest.raises(SchedulerConfigurationException, match=rf"{option} is .*must be"):
        Scheduler(**{option: value})


def test_a_sleep_interval_may_be_a_fraction():
    Scheduler(sleep_interval=0.25)
