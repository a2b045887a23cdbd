"""Functions that are declared as tasks: their options, and the ways to enqueue their calls.

Covers `scheduler.tasks.function`, `scheduler.tasks.options`, `scheduler.values.options`.
"""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
from datetime import timedelta

import pytest

from scheduler import TASK_STATUS_NONE, TASK_STATUS_QUEUED, TASK_STATUS_TERMINATED, nowutc, task
from scheduler.dispatch.pruner import Pruner
from scheduler.settings import Settings
from scheduler.shelves.queue_slot import slot_of
from scheduler.tasks import CallTask, TaskChain, TaskFunction, TaskGroup
from scheduler.tasks.call import CoroutineCallTask, LoneCallTask, TunedCallTask
from tests.scheduler import sample_declared as declared
from tests.scheduler.harness import running
from tests.scheduler.sample_functions import Order
from tests.scheduler.sample_functions import send as plain_send
from tests.scheduler.sample_tasks import Noop

HOUR = timedelta(hours=1)


def test_a_bare_declaration_is_called_and_enqueued_as_one_with_options(relay):
    call = declared.bare.enqueue(3)
    also = declared.bare_coroutine.enqueue(4)
    relay.run_due()
    assert (call.getResult(), also.getResult()) == (3, 4)
    assert isinstance(declared.bare, TaskFunction)
    assert asyncio.run(declared.bare_coroutine(5)) == 5


def test_calls_are_enqueued_for_a_date_and_in_some_seconds(relay):
    now = relay.clock.now
    at, in_a_minute = declared.bare.enqueueAt(now + HOUR, 1), declared.bare.enqueueIn(60, 2)
    in_an_hour = declared.bare.enqueueIn(HOUR, 3)
    assert at.getStartOn() == in_an_hour.getStartOn() == now + HOUR
    assert in_a_minute.getStartOn() == now + timedelta(seconds=60)


def test_calls_are_steps_of_chains_and_groups(relay):
    last = declared.follow.step("last")
    group = TaskGroup([declared.follow.step("b"), TaskChain(declared.follow.step("c"))])
    relay.client.enqueueChain(declared.follow.step("a"), group, last)
    relay.run_due()
    assert last.getResult() == "last: b: a:, c: a:"


def test_a_step_is_a_call_with_the_options_of_its_function_and_is_not_enqueued(relay):
    step = declared.bare_coroutine.step(4)
    assert isinstance(step, CoroutineCallTask)
    assert step.getStatus() == TASK_STATUS_NONE
    assert relay.run_due() == []
    with pytest.raises(TypeError, match="does not take these arguments"):
        declared.bare.step("a", "b")


@pytest.mark.parametrize("function", [declared.bare, plain_send])
def test_a_function_that_is_given_as_a_step_is_refused_with_the_way_to_do_it(relay, function):
    with pytest.raises(TypeError, match=r"declare it with @task, and give its step\(...\)"):
        relay.client.enqueueGroup([function])


def test_calls_are_enqueued_in_the_transaction_of_a_given_connection(view, open_view):
    other = open_view()
    held = other.root["order"] = Order(1)
    other.commit()
    tasks = [
        declared.bare.using(other.connection).enqueue(1),
        declared.bare.using(held).enqueueAt(nowutc(), 2),
        declared.bare.using(other.connection).enqueueIn(5, 3),
    ]
    assert {call._p_jar for call in tasks} == {other.connection}
    view.commit()
    assert view.counts() == {}
    other.commit()
    assert view.counts() == {"spooled": 3}


def test_a_client_calls_a_function_at_a_date(view):
    order, date = Order(1), nowutc() + HOUR
    assert view.client.call(date, plain_send, order, copies=2).getStartOn() == date
    assert view.client.call(date, declared.bare, 2).getStartOn() == date
    with pytest.raises(TypeError, match="needs a function behind its date"):
        view.client.call(date)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("delay", r"bare\.enqueue\(\.\.\.\)"),
        ("send", r"bare\.enqueue\(\.\.\.\)"),
        ("apply_async", r"bare\.enqueue\(\.\.\.\)"),
        ("enqueue_at", r"bare\.enqueueAt\(date, \.\.\.\)"),
        ("enqueue_in", r"bare\.enqueueIn\(seconds, \.\.\.\)"),
        ("nonsense", "has no attribute 'nonsense'"),
    ],
)
def test_names_of_other_libraries_lead_to_the_right_call(name, right):
    with pytest.raises(AttributeError, match=right):
        getattr(declared.bare, name)


def test_a_method_of_a_stored_object_is_declared_as_a_task(relay):
    account = relay.connection.root()["account"] = declared.Account()
    assert account.deposit(5) == 5
    call, refused = account.deposit.enqueue(2), account.deposit.enqueue(-1)
    relay.run_due()
    relay.clock.advance(60)
    relay.run_due()
    assert call.getResult() == account.balance == 7
    assert len(refused.getAttempts()) == 2


def test_a_call_has_queue_priority_and_expiry_of_its_function(relay):
    call = declared.send.enqueue("ann@example.org")
    assert slot_of(call)[:2] == ("mail", 7)
    assert call.expiryDate == call.getStartOn() + timedelta(seconds=60)
    relay.clock.advance(61)
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_TERMINATED
    assert "sent" not in relay.connection.root()


def test_the_expiry_of_a_call_moves_with_its_date(relay):
    call = declared.send.enqueueIn(3600, "ann@example.org")
    relay.run_due()
    relay.client.moveTask(call, relay.clock.now + 2 * HOUR)
    relay.run_due()
    assert call.expiryDate == relay.clock.now + 2 * HOUR + timedelta(seconds=60)


def test_a_declared_function_is_an_argument_by_its_name(relay):
    call = relay.client.call(declared.call_with, declared.bare, 3)
    relay.run_due()
    assert call.getResult() == 3
    assert copy.copy(declared.bare) is declared.bare


def test_a_limit_key_is_made_of_the_arguments(relay):
    assert slot_of(declared.book.enqueueIn(9, 7, text="a")).key == "account 7"
    assert slot_of(declared.book_by_function.enqueueIn(9, 8)).key == "by function 8"
    assert declared.book.enqueueIn(9, 7, "b").inOrder


def test_calls_with_one_limit_key_are_made_one_at_a_time_in_order(view, database):
    for text in ("a", "b", "c", "d"):
        declared.book.enqueue(7, text)
    view.commit()
    with running(database, workers=3):
        view.until_counts(finished=4)
    assert view.root["booked"] == ("a", "b", "c", "d")


def test_a_unique_key_is_made_of_the_arguments_and_free_again_afterwards(relay):
    first, second = declared.index.enqueue("a"), declared.index.enqueue("a", why="again")
    other = declared.index.enqueue("b")
    relay.run_due()
    assert second.getStatus() == TASK_STATUS_NONE
    assert relay.connection.root()["indexed"] == ("a", "b")
    assert first.getStatus() == other.getStatus()
    assert len(relay.client._module.unique) == 0


def test_a_key_held_for_a_period_outlives_its_call(relay):
    declared.remind.enqueue("a")
    relay.run_due()
    declared.remind.enqueue("a")
    relay.run_due()
    assert relay.connection.root()["reminded"] == ("a",)
    relay.clock.advance(3601)
    declared.remind.enqueue("a")
    relay.run_due()
    assert relay.connection.root()["reminded"] == ("a", "a")


def test_calls_are_kept_as_their_function_says(relay):
    for number in range(4):
        declared.noise.enqueue(number)
    relay.enqueue(Noop(nowutc()))
    relay.run_due()
    pruner = Pruner(lease=None, settings=Settings())
    pruner._sweep(relay.connection)
    kept = [task for _, task in relay.client._module.getFinishedIndex().newest()]
    assert sum(isinstance(task, CallTask) for task in kept) == 2
    assert any(isinstance(task, Noop) for task in kept)


def test_calls_share_a_transaction_unless_they_are_to_be_alone(view):
    assert type(declared.bare.enqueue(1)) is CallTask
    assert type(declared.send.enqueue("a")) is TunedCallTask
    assert type(declared.apart.enqueue()) is type(declared.hang.enqueue()) is LoneCallTask


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tries": 3}, "unknown option 'max_tries'; did you mean 'maxTries'"),
        ({"queue": "mail"}, "did you mean 'queueName'"),
        ({"maxTries": "three"}, "maxTries is 'three'; it must be a whole number from 1"),
        ({"maxTries": 0}, "maxTries is 0"),
        ({"hardLimit": -1}, "hardLimit is -1; it must be a number of seconds"),
        ({"retries": 3}, "retries is 3; it must be a table"),
        ({"priority": 1.5}, "priority is 1.5"),
        ({"unique": "yes"}, "unique is 'yes'; it must be True or False"),
        ({"limitKey": 7}, "limitKey is 7; it must be a text"),
        ({"limitKey": "{acount}"}, "has no argument 'acount': it has account"),
        ({"unique": True, "uniqueKey": "a"}, "unique and uniqueKey are both given"),
        ({"keepFinished": 5}, "keepFinished is 5"),
    ],
)
def test_a_wrong_option_is_refused_when_the_module_is_imported(options, message):
    with pytest.raises((TypeError, ValueError), match=message):

        @task(**options)
        def declared_here(account):
            pass


@pytest.mark.parametrize("value", [3, Noop])
def test_a_value_that_is_no_function_is_refused(value):
    with pytest.raises(TypeError, match="is no function"):
        task(value)


def test_a_generator_is_refused_at_the_call(view):
    with pytest.raises(TypeError, match="is a generator"):
        view.client.call(declared.pages, 3)


def test_options_of_another_library_are_none_of_ours(view):
    assert type(view.client.call(declared.foreign)) is CallTask


SCRIPT = """
import sys
import transaction
from persistent import Persistent
from scheduler import Client, nowutc, task
from scheduler.store import connect
from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import Noop
from tests.scheduler.sample_functions import send

class Mine(OneShotTask):
    def run(self):
        pass

class Thing(Persistent):
    def act(self):
        pass

def plain(): pass

@task
def bare(): pass

@task(maxTries=2)
def tuned(): pass

with connect("memory://") as connection:
    client, now = Client(connection), nowutc()
    connection.root()["thing"] = thing = Thing()
    calls = [
        lambda: client.enqueue(Mine(now)),
        lambda: client.call(plain),
        lambda: client.call(thing.act),
        lambda: client.call(send, thing),
        lambda: client.call(send, [thing]),
        lambda: bare.enqueue(),
        lambda: tuned.enqueueIn(5),
        lambda: tuned.using(connection).enqueueAt(now),
        lambda: client.enqueueChain(Noop(now), Mine(now)),
        lambda: client.enqueueChain((Noop(now), Mine(now)), Noop(now)),
        lambda: client.enqueueGroup([Noop(now), Mine(now)]),
        lambda: client.enqueueGroup([Noop(now)], Mine(now)),
    ]
    for number, call in enumerate(calls):
        try:
            call()
        except TypeError as error:
            assert "is defined in the script that runs" in str(error), error
        else:
            print("accepted:", number)
"""


def test_a_function_of_the_script_itself_is_refused_at_the_call(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_calls_of_a_function_wait_in_its_named_queue(view, database):
    view.client.limitQueue("mail", atOnce=0)
    call = declared.send.enqueue("ann@example.org")
    view.commit()
    with running(database):
        view.until_counts(waiting=1)
        assert view.client.getQueues()["mail"]["waiting"] == 1
    assert call.getStatus() == TASK_STATUS_QUEUED
