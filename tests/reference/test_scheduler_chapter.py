"""Chapter 3 of the reference, through the names and examples that it prints.

Databases are plain ones, as an application would open them: `ZODB.DB(None)`, or on a file.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import transaction
import ZODB
from dateutil import rrule

import scheduler.tasks
from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
    TASK_STATUS_TERMINATED,
    Client,
    Scheduler,
    SchedulerModule,
    TaskDelayed,
    nowutc,
)
from scheduler.clock import TimeSource, timed_by
from scheduler.errors import (
    NoConnectionError,
    SchedulerConfigurationException,
    SchedulerUnknownOperationException,
    TaskInconsistentStatusException,
)
from scheduler.states import status
from scheduler.store import using
from scheduler.tasks import (
    BaseTask,
    OneShotTask,
    PeriodicTask,
    PeriodicUniqueTask,
    SampleOneShotTask,
    SamplePeriodicTask,
    TaskOccurrence,
)
from tests.scheduler.harness import View
from tests.scheduler.sample_misbehaving import Die
from tests.scheduler.sample_tasks import Count, Raise, TearDown
from tests.waiting import DEADLINE

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])
KEYS = {"state", "hostname", "pid", "waiting", "running", "spooled", "failed", "finished"}


@pytest.fixture
def database(request, tmp_path):
    in_memory = getattr(request, "param", "memory") == "memory"
    database = ZODB.DB(None if in_memory else f"{tmp_path}/data.fs")
    yield database
    database.close()


@pytest.fixture
def view(database):
    view = View(database, transaction.manager)
    with using(view.connection):
        yield view
    view.close()


@contextmanager
def scheduling(view, **config):
    """Run the scheduler of the chapter's example, and shut it down as a client does."""
    returned = []
    options = {"sleep_interval": 1, "task_max_tries": 1, **config}
    running = Scheduler(database=view.database, **options)
    thread = threading.Thread(target=lambda: returned.append(running.run()))
    thread.start()
    try:
        yield
    finally:
        view.refresh()
        Client().shutdown("the test is over")
        view.commit()
        thread.join(DEADLINE)
    assert returned == [0]


# 3.1 Overview


def test_a_task_goes_through_the_documented_states(view):
    task = SampleOneShotTask(nowutc() + timedelta(seconds=1))
    assert task.getStatus() == TASK_STATUS_NONE
    Client().enqueue(task)
    assert task.getStatus() == TASK_STATUS_SPOOLED
    view.commit()
    with scheduling(view):
        for state in (TASK_STATUS_QUEUED, TASK_STATUS_RUNNING, TASK_STATUS_FINISHED):
            view.until(lambda state=state: task.getStatus() == state)


def test_the_states_have_their_numbers_and_letters():
    states = (
        *(TASK_STATUS_NONE, TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING),
        *(TASK_STATUS_FAILED, TASK_STATUS_ABORTED, TASK_STATUS_FINISHED, TASK_STATUS_TERMINATED),
    )
    assert states == tuple(range(8))
    assert " ".join(map(status, states)) == "NN SP QD RN FA AB FI TD"


# 3.2, 3.6 Scheduler, and the examples


@both_modes
@pytest.mark.parametrize("database", ["memory", "file"], indirect=True)
def test_the_clients_example_works_as_printed(view, mode):
    c = Client()
    st = SampleOneShotTask(nowutc() + timedelta(seconds=1))
    assert c.enqueue(st) is True
    transaction.commit()
    pt = SamplePeriodicTask(rrule.MINUTELY, bysecond=(40,))
    assert c.enqueue(pt) is True
    transaction.commit()
    assert c.dequeue(pt) is True
    transaction.commit()
    with scheduling(view, multitask_mode=mode):
        view.until_counts(finished=1)
    assert st.getStatus() == TASK_STATUS_FINISHED
    assert pt.getStatus() == TASK_STATUS_NONE


def test_the_configurations_example_is_accepted():
    s = Scheduler(sleep_interval=1, task_max_tries=1, multitask_mode="processes")
    assert isinstance(s, Scheduler)


@pytest.mark.parametrize("option", ["sleep_intervall", "AWOL_threshold"])
def test_an_unknown_option_is_named_with_the_known_ones(option):
    with pytest.raises(SchedulerConfigurationException, match=f"{option}.*sleep_interval"):
        Scheduler(**{option: 1})


@both_modes
def test_failing_killing_and_working_tasks_end_where_they_should(view, mode):
    tasks = [Raise(nowutc(), ValueError("as told")), Count(nowutc()), Count(nowutc())]
    if mode == "processes":
        tasks.append(Die(nowutc()))
    view.enqueue(*tasks)
    with scheduling(view, multitask_mode=mode):
        view.until_counts(finished=2, failed=len(tasks) - 2)
    assert view.root["count"] == 2


@both_modes
def test_of_a_unique_periodic_task_there_is_one(view, mode):
    view.enqueue(*(Unique(rrule.SECONDLY) for _ in range(3)))
    with scheduling(view, multitask_mode=mode):
        view.until(lambda: view.counts().get("finished", 0) >= 3)
        counts = view.counts()
        assert counts.get("waiting", 0) + counts.get("running", 0) == 1


class Unique(PeriodicUniqueTask):
    def run(self):
        pass


def test_a_scheduler_can_be_run_again(view):
    for _ in range(2):
        view.enqueue(Count(nowutc()))
        with scheduling(view):
            view.until(lambda: "spooled" not in view.counts() and "running" not in view.counts())
    assert view.root["count"] == 2


def test_another_clock_is_the_schedulers_too(view):
    class Standing(TimeSource):
        now = datetime(2030, 1, 1, tzinfo=UTC)

        def getCurrentTime(self):
            return self.now

    with timed_by(Standing()):
        task = view.enqueue(Count(datetime(2030, 1, 4, tzinfo=UTC)))
        with scheduling(view, sleep_interval=0.1):
            view.until_counts(waiting=1)
            Standing.now = datetime(2030, 1, 5, tzinfo=UTC)
            view.until_counts(finished=1)
        assert task.getStartedOn() == nowutc() == datetime(2030, 1, 5, tzinfo=UTC)


# 3.3 Client


def test_the_status_has_eight_keys_and_tells_who_runs(view):
    stopped = {**dict.fromkeys(KEYS, 0), "state": False, "hostname": None, "pid": None}
    assert Client().getStatus() == stopped
    with scheduling(view):
        view.until(lambda: Client().getStatus()["state"])
        assert set(Client().getStatus()) == KEYS
        assert Client().getStatus()["pid"] is not None
    view.refresh()
    assert Client().getStatus() == stopped


def test_a_client_needs_a_connection_and_takes_a_stored_object_for_one(database):
    for make in (Client, SchedulerModule.getDBInstance):
        with pytest.raises(NoConnectionError, match="using"):
            make()
    with database.transaction() as connection:
        module = SchedulerModule.getDBInstance(connection)
        assert Client(module).enqueue(Count(nowutc()))


def test_the_spool_is_iterated_in_order_and_cleared(view):
    task = Count(nowutc())
    Client().enqueue(task)
    Client().moveTask(task, nowutc())
    Client().dequeue(task)
    Client().shutdown(msg="enough")
    spool = list(Client().getSpool())
    assert [op for op, obj in spool] == ["add", "change", "del", "shutdown"]
    assert spool[0][1] is spool[2][1] is task
    assert spool[3][1] == "enough"
    assert Client().clearSpool() == 4
    assert len(Client().getSpool()) == Client().getStatus()["spooled"] == 0


@pytest.mark.parametrize("tid", [10**9, 0, -1, "7", None])
def test_an_unknown_task_is_a_key_error(view, tid):
    with pytest.raises(KeyError):
        Client().getTask(tid)


def test_a_failed_task_is_started(view):
    task = view.enqueue(Raise(nowutc(), ValueError("as told")))
    with scheduling(view):
        view.until_counts(failed=1)
        Client().startFailedTask(task)
        view.commit()
        view.until(lambda: len(task.getAttempts()) == 2)


def test_a_task_is_moved(view):
    periodic = Unique(rrule.DAILY, dtstart=nowutc() + timedelta(days=1))
    view.enqueue(Count(nowutc() + timedelta(days=3)), periodic)
    with scheduling(view):
        view.until_counts(waiting=2)
        for _, task in list(SchedulerModule.getDBInstance().getWaitingQueue()):
            assert Client().moveTask(task, nowutc()) is True
        view.commit()
        view.until_counts(waiting=1, finished=2)


# 3.4 Tasks


def test_the_tasks_names_are_where_they_should_be():
    for name in (
        *("BaseTask", "OneShotTask", "PeriodicTask", "PeriodicUniqueTask", "TaskOccurrence"),
        *("SampleOneShotTask", "SamplePeriodicTask", "SendMailTask", "AlarmTask", "TimedEvent"),
    ):
        assert getattr(scheduler.tasks, name).__name__ == name


def test_a_task_is_made_as_documented():
    date = nowutc()
    assert BaseTask(expiryDate=date).expiryDate == date
    assert BaseTask().expiryDate is None
    task = OneShotTask(startDateTime=date, expiryDate=date)
    assert (task.getStartOn(), task.expiryDate) == (date, date)
    with pytest.raises(NotImplementedError):
        task.run()


def test_a_task_is_reset_to_what_it_was_before_it_was_run():
    task = Count(nowutc())
    task.prepare()
    assert task.getStartedOn() is not None
    task.reset()
    assert (task.getStartedOn(), task.getEndedOn()) == (None, None)


def test_a_task_refuses_to_run_past_its_expiry_date(view):
    past = nowutc() - timedelta(minutes=1)
    task = view.enqueue(Count(past, expiryDate=past))
    with scheduling(view):
        view.until_counts(failed=1)
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert "count" not in view.root


@both_modes
def test_a_task_is_torn_down_when_it_has_been_run(view, mode):
    view.enqueue(TearDown(nowutc()), TearDown(nowutc(), is_failing=True))
    with scheduling(view, multitask_mode=mode):
        view.until_counts(finished=1, failed=1)
    assert view.root["torn down"] == 2


def test_the_dates_of_a_rule_follow_each_other_until_there_is_none():
    date = datetime(2030, 1, 1, tzinfo=UTC)
    task = PeriodicTask(rrule.MINUTELY, dtstart=date)
    assert task.getStartOn() == date
    assert task.setNextOccurrence(dateAfter=date) == date + timedelta(minutes=1)
    last = PeriodicTask(rrule.YEARLY, dtstart=date, until=date + timedelta(days=30))
    assert last.setNextOccurrence() is last.setNextOccurrence() is None


def test_a_task_that_asks_for_a_delay_says_for_how_long():
    assert TaskDelayed(3).delaySeconds == 3


def test_tasks_and_occurrences_are_in_order(view):
    first, second = Count(nowutc()), Count(nowutc())
    Client().enqueueAll([first, second])
    earlier, later = TaskOccurrence(first), TaskOccurrence(first)
    earlier.setId(0)
    later.setId(1)
    assert sorted([second, later, earlier, first]) == [first, earlier, later, second]
    assert first <= first
    assert earlier == earlier


# 3.5 Module


def test_an_instruction_is_spooled(view):
    module = SchedulerModule.getDBInstance()
    assert SchedulerModule.getDBInstance(module) is module
    task = Count(nowutc())
    assert module.spool("add", task) is True
    with pytest.raises(SchedulerUnknownOperationException, match="bogus"):
        module.spool(op="bogus", obj=None)
    view.commit()
    with scheduling(view):
        view.until_counts(finished=1)


def test_a_task_is_moved_between_shelves(view):
    module = SchedulerModule.getDBInstance()
    task, other = (Count(nowutc() + timedelta(hours=1)) for _ in range(2))
    module.moveTask(task, moveFrom=TASK_STATUS_NONE, status=TASK_STATUS_QUEUED, nocheck=True)
    module.moveTask(other, TASK_STATUS_NONE, TASK_STATUS_QUEUED, None, True)
    assert [each for _, each in module.getWaitingQueue()] == [task, other]
    assert module.getTaskById(task.getId()) is module.getTaskIndex()[task.getId()] is task

    module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    assert module.getRunningList() == [task]
    with pytest.raises(TaskInconsistentStatusException):
        module.moveTask(task, TASK_STATUS_FAILED, TASK_STATUS_QUEUED)
    module.moveTask(task, TASK_STATUS_RUNNING, TASK_STATUS_FAILED)
    assert list(module.getFailedIndex()) == [task]
    module.moveTask(task, TASK_STATUS_FAILED, TASK_STATUS_QUEUED)

    occurrence = TaskOccurrence(other)
    module.moveTask(other, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING)
    module.moveTask(other, TASK_STATUS_RUNNING, TASK_STATUS_FINISHED, occurrence=occurrence)
    assert list(module.getFinishedIndex()) == [occurrence]
    module.removeRunningTask(task)  # it is not there: this is only logged
    assert module.getStatus() == Client().getStatus()
