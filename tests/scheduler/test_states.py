"""The states and the table of moves between them: every pair (reference 3.1.2)."""

from __future__ import annotations

import itertools

import pytest

from scheduler import states
from scheduler.errors import TaskInconsistentStatusException
from scheduler.tasks import BaseTask

LEGAL = {
    "NN": "SP QD",
    "SP": "QD NN TD",
    "QD": "RN NN AB TD",
    "RN": "QD FA AB FI TD",
    "FA": "SP QD NN",
    "AB": "SP QD NN",
    "FI": "SP QD NN",
    "TD": "SP QD NN",
}
CODES = list(LEGAL)
PAIRS = list(itertools.product(range(8), repeat=2))


def test_the_codes_are_those_of_the_reference():
    assert [states.status(n) for n in range(8)] == CODES


@pytest.mark.parametrize("n", [-1, 8])
def test_an_unknown_number_has_no_code(n):
    with pytest.raises(IndexError):
        states.status(n)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_move_is_legal_if_the_table_says_so(before, after):
    expected = CODES[after] in LEGAL[CODES[before]].split()
    assert states.is_legal(before, after) is expected


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_task_refuses_what_is_no_legal_move(before, after):
    task = BaseTask()
    task._status = before
    if states.is_legal(before, after):
        task.setStatus(after)
        assert task.getStatus() == after
    else:
        with pytest.raises(TaskInconsistentStatusException, match=CODES[after]):
            task.setStatus(after)
        assert task.getStatus() == before
