"""Functions and methods as tasks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from datetime import timedelta

import pytest

from scheduler import TASK_STATUS_NONE, TASK_STATUS_TERMINATED, nowutc
from scheduler import task as task_options
from scheduler.store import using
from scheduler.tasks import TaskFunction
from tests.scheduler.harness import running
from tests.scheduler.sample_functions import Order, fail, hang, refresh, send, send_slowly
from tests.scheduler.sample_tasks import Noop

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


@pytest.fixture
def order(view):
    order = view.root["order"] = Order(7)
    view.commit()
    return order


@both_modes
def test_a_function_is_called_with_the_callers_own_objects(view, database, order, mode):
    task = view.client.call(send, order, copies=3)
    view.commit()
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
    assert order.copies == 3
    assert task.getResult() == "order 7, 3 copies"


def test_a_coroutine_function_is_run_in_a_loop_of_its_own(view, database, order):
    task = view.client.call(send_slowly, order)
    view.commit()
    with running(database):
        view.until_counts(finished=1)
    assert task.getResult() == order.copies == 1


def test_a_method_of_a_stored_object_is_called(view, database, order):
    task = view.client.call(order.ship, "mail")
    view.commit()
    with running(database):
        view.until_counts(finished=1)
    assert order.shipped == "mail"
    assert task.getResult() == "7 by mail"


def test_an_aborted_transaction_calls_nothing(view, database, order):
    view.client.call(send, order)
    view.manager.abort()
    view.enqueue(Noop(nowutc()))
    with running(database):
        view.until_counts(finished=1)
    assert order.copies == 0


def test_a_decorated_function_is_called_as_it_was(view, order):
    assert isinstance(refresh, TaskFunction)
    refresh(order)
    assert order.copies == 1
    assert refresh.__name__ == "refresh"


def test_options_of_the_decorator_hold_for_its_calls(view, database, order):
    with using(view.connection):
        task = fail.enqueue(order)
    view.commit()
    with running(database, task_max_tries=1):
        view.until_counts(failed=1)
    assert len(task.getAttempts()) == 3
    assert order.copies == 0


@both_modes
def test_a_call_may_have_a_hard_limit(view, database, mode):
    task = view.client.call(hang)
    view.commit()
    with running(database, multitask_mode=mode):
        view.until_counts(failed=1)
    assert task.getStatus() == TASK_STATUS_TERMINATED


def test_a_unique_call_is_made_once_for_the_same_arguments(view, database, order):
    other = view.root["other"] = Order(8)
    view.commit()
    later = nowutc() + timedelta(hours=1)
    with using(view.connection):
        first, second = refresh.enqueueAt(later, order), refresh.enqueueAt(later, order)
        refresh.enqueueAt(later, other)
    view.commit()
    with running(database):
        view.until_counts(waiting=2)
    assert first.getStatus() != TASK_STATUS_NONE
    assert second.getStatus() == TASK_STATUS_NONE


def test_ten_thousand_are_enqueued_in_one_commit(view):
    view.client.enqueueAll(Noop(nowutc()) for _ in range(10_000))
    view.commit()
    assert view.counts() == {"spooled": 10_000}


def nested():
    def inner():
        return None

    return inner


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (lambda: None, (), "cannot be found again by its name"),
        (nested(), (), "cannot be found again by its name"),
        ("send", (), "is no function"),
        (send, (), "does not take these arguments: missing a required argument: 'order'"),
        (send, (threading.Lock(),), "cannot be stored: cannot pickle"),
        (threading.Event().set, (), "is not the function that was given"),
    ],
)
def test_a_function_that_could_not_be_called_later_is_refused_at_once(
    view, function, arguments, message
):
    with pytest.raises(TypeError, match=message):
        view.client.call(function, *arguments)


def test_an_unknown_option_of_the_decorator_is_refused():
    with pytest.raises(TypeError, match="retrys"):
        task_options(retrys=3)


def test_a_function_that_is_gone_fails_with_its_name(view, database, order, monkeypatch):
    task = view.client.call(send, order)
    view.commit()
    monkeypatch.setattr(task, "_name", "tests.scheduler.sample_functions:sent")
    view.commit()
    with running(database):
        view.until_counts(failed=1)
    assert "has no attribute 'sent'" in task.getAttempts()[0].message


CALLS = """
from datetime import timedelta

from scheduler import nowutc
from scheduler.tasks.retry import Retry
from scheduler import Client, task
from scheduler.store import connect
from tests.scheduler.sample_functions import Order, refresh, send, send_slowly

@task(maxTries=2)
def count(number: int) -> str: ...

@task
async def wait(number: int) -> str: ...

class Account:
    @task(maxTries=2)
    def deposit(self, amount: int) -> int: ...

async def await_it() -> str:
    return await wait(3)

@task(
    maxTries=3,
    retries={ValueError: Retry(first=1)},
    softLimit=1.5,
    limitKey="account {number}",
    uniqueKey=lambda number: f"account {number}",
    expiry=timedelta(hours=1),
    alone=True,
)
def tuned(number: int) -> str: ...

with connect("memory://") as connection:
    client, order = Client(connection), Order(1)
    {call}
"""

RIGHT = """
result: str | None = client.call(send, order, copies=2).getResult()
number: int | None = client.call(send_slowly, order).getResult()
shipped: str | None = client.call(order.ship, "mail").getResult()
counted: str | None = count.enqueue(3).getResult()
waited: str | None = wait.enqueue(3).getResult()
plain: str = count(3)
dated: str | None = client.call(nowutc(), send, order, copies=2).getResult()
balance: int | None = Account().deposit.enqueue(3).getResult()
now: int = Account().deposit(3)
tuned_at: str | None = tuned.enqueueAt(nowutc(), 3).getResult()
tuned_in: str | None = tuned.using(connection).enqueueIn(5, number=3).getResult()
"""

WRONG = [
    "client.call(send, 'order')",
    "client.call(send, order, 'two')",
    "client.call(send)",
    "number: int | None = client.call(send, order).getResult()",
    "count.enqueue('3')",
    "text: str | None = client.call(send_slowly, order).getResult()",
    "wait.enqueue()",
    "wait.enqueueIn('soon', 3)",
    "client.call(nowutc(), send, 'order')",
    "count.using(connection).enqueue('3')",
    "tuned.delay(3)",
    "tuned.step('3')",
    "client.enqueueChain(tuned)",
    "Account().deposit.enqueue('3')",
    "task(max_tries=3)",
    "task(maxTries='three')",
    "task(retries=3)",
    "task(limitKey=7)",
]


def test_a_type_checker_accepts_right_calls_and_refuses_wrong_ones(tmp_path):
    right = textwrap.indent(RIGHT, "    ").strip()
    (tmp_path / "right.py").write_text(CALLS.replace("{call}", right))
    for number, call in enumerate(WRONG):
        (tmp_path / f"wrong_{number}.py").write_text(CALLS.replace("{call}", call))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file=",
            "--cache-dir",
            tmp_path / "cache",
            "--ignore-missing-imports",
            "--follow-imports=silent",
            "--python-version=3.11",
            "--disable-error-code=empty-body",
            *sorted(tmp_path.glob("*.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    files = [line.partition(":")[0] for line in done.stdout.splitlines() if ": error:" in line]
    named = {file.rpartition("/")[2] for file in files}
    assert named == {f"wrong_{number}.py" for number in range(len(WRONG))}, done.stdout
