from __future__ import annotations

import pytest

from scheduler import nowutc
from scheduler.shelves.figures import (
    DAY,
    HOUR,
    MINUTE,
    WEEK,
    EndedAttempt,
    Figures,
    figures_of,
    quantile,
)
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_FINISHED
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Noop, Raise

START = 29_000_040 * MINUTE
"""A time at which a slot of each span begins."""

FINISHED = EndedAttempt(TASK_STATUS_FINISHED, 0.1)
FAILED = EndedAttempt(TASK_STATUS_FAILED, 2.0)
PUT_OFF = EndedAttempt(None, 0.1)


@pytest.fixture
def figures():
    return Figures()


def test_attempts_of_one_minute_are_added_up(figures):
    figures.note(START, [FINISHED, PUT_OFF], 3, 0.5)
    figures.note(START + 59, [FINISHED, FAILED], 1, 7.2)
    slot = figures.series(HOUR, START + 59)[-1]
    assert slot[:7] == (START // MINUTE, 2, 1, 1, 3, 1, 7.2)


@pytest.mark.parametrize("span", [HOUR, DAY, WEEK])
def test_each_span_has_all_that_ended_within_it(figures, span):
    minutes = span.minutes * span.slots
    for minute in range(0, minutes, 7):
        figures.note(START + minute * MINUTE, [FINISHED], 0, 0)
    series = figures.series(span, START + (minutes - 1) * MINUTE)
    assert [slot.minute for slot in series] == [
        START // MINUTE + number * span.minutes for number in range(span.slots)
    ]
    assert sum(slot.finished for slot in series) == len(range(0, minutes, 7))
    assert max(slot.finished for slot in series) - min(slot.finished for slot in series) <= 1


def test_a_pause_leaves_empty_slots(figures):
    figures.note(START, [FINISHED], 0, 0)
    figures.note(START + 30 * MINUTE, [FINISHED], 0, 0)
    found = [slot.finished for slot in figures.series(HOUR, START + 31 * MINUTE)]
    assert found[-32:] == [1, *[0] * 29, 1, 0]
    assert [slot.finished for slot in figures.series(DAY, START + 31 * MINUTE)][-3:] == [1, 0, 1]


def test_as_many_wait_as_before_where_nothing_was_noted(figures):
    figures.note(START, [], 8, 0)
    figures.note(START, [], 2, 0)
    series = figures.series(HOUR, START + 3 * MINUTE)
    assert [slot.waiting for slot in series][-5:] == [0, 8, 2, 2, 2]
    assert figures.series(HOUR, START + 90 * MINUTE)[0].waiting == 2


def test_they_take_the_same_space_after_a_month(figures):
    for minute in range(0, 31 * 24 * 60, 5):
        figures.note(START + minute * MINUTE, [FINISHED], 0, 0)
    assert [len([*ring]) for ring in figures._rings] == [60, 96, 84]


@pytest.mark.parametrize("seconds", [0.0, 0.004, 1.0, 90.0, 86400.0])
def test_quantiles_are_exact_to_a_tenth(figures, seconds):
    figures.note(START, [EndedAttempt(TASK_STATUS_FINISHED, seconds)] * 9, 0, 0)
    slot = figures.series(HOUR, START)[-1]
    assert quantile(slot.durations, 0.5) == pytest.approx(max(seconds, 0.001), rel=0.1)
    assert quantile(slot.durations, 0.95) == quantile(slot.durations, 0.5)


def test_a_few_slow_attempts_are_seen_in_the_last_percents(figures):
    fast, slow = EndedAttempt(TASK_STATUS_FINISHED, 0.1), EndedAttempt(TASK_STATUS_FINISHED, 10)
    figures.note(START, [fast] * 94 + [slow] * 6, 0, 0)
    slot = figures.series(HOUR, START)[-1]
    assert quantile(slot.durations, 0.5) == pytest.approx(0.1, rel=0.1)
    assert quantile(slot.durations, 0.95) == pytest.approx(10, rel=0.1)
    assert quantile(figures.series(HOUR, START)[0].durations, 0.5) is None


def test_waits_and_commits_have_quantiles_of_their_own(figures):
    figures.note(START, [EndedAttempt(TASK_STATUS_FINISHED, 0.1, 8.0, 0.02)] * 3, 0, 0)
    figures.note(START, [FINISHED], 0, 0)
    slot = figures.series(HOUR, START)[-1]
    assert quantile(slot.waits, 0.95) == pytest.approx(8, rel=0.1)
    assert quantile(slot.commits, 0.5) == pytest.approx(0.02, rel=0.1)
    assert sum(count for _, count in slot.waits) == 3


def test_a_clock_that_is_set_back_goes_on_in_the_same_minute(figures):
    figures.note(START + 5 * MINUTE, [FINISHED], 0, 0)
    figures.note(START, [FINISHED], 0, 0)
    assert figures.series(HOUR, START + 5 * MINUTE)[-1].finished == 2


def test_the_leader_notes_what_it_settles_in_the_same_commit(database, view):
    failing = Raise(nowutc(), ValueError("no"))
    failing.maxTries = 1
    view.enqueue(Noop(nowutc()), failing)
    with running(database):
        view.until(lambda: view.counts() == {"failed": 1, "finished": 1})
    series = figures_of(view.connection).series(HOUR, nowutc().timestamp())
    assert (sum(slot.finished for slot in series), sum(slot.failed for slot in series)) == (1, 1)
    for kind in ("durations", "waits", "commits"):
        assert sum(count for slot in series for _, count in getattr(slot, kind)) == 2
        assert all(quantile(getattr(slot, kind), 0.5) < 60 for slot in series if slot.finished)


def test_what_waits_is_noted(database, view):
    view.client.pause()
    view.enqueue(*(Noop(nowutc()) for _ in range(5)))
    with running(database):
        view.until(lambda: view.counts() == {"waiting": 5})
    series = figures_of(view.connection).series(HOUR, nowutc().timestamp())
    assert max(slot.waiting for slot in series) == 5
