"""What the scheduler of the reference did wrong, and the tests that show it is done right here.

`SHOWN_BY` names each weakness with its tests, by subject; those that stand nowhere else follow
below, in the same order.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import transaction
from dateutil import rrule

from scheduler import (
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_TERMINATED,
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.dispatch import tick
from scheduler.retry import Retry
from scheduler.store import current, open_database, transact
from scheduler.tasks import OneShotTask
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.runner import Runner
from tests.faults.processes import Daemon
from tests.scheduler.harness import View, running
from tests.scheduler.sample_long import Sleep, Wait
from tests.scheduler.sample_misbehaving import MeetConflict
from tests.scheduler.sample_recurring import EverySecond, LimitedTick, Tick
from tests.scheduler.sample_tasks import Count, FailTimes, Noop
from tests.waiting import wait_for

TESTS = Path(__file__).parents[1]

SHOWN_BY = {
    # Instructions.
    "an instruction taken out and lost in a crash": [
        "test_an_aborted_draining_consumes_nothing",
        "test_each_transfer_is_made_once_whichever_process_is_shot",
    ],
    "a bad instruction that stops the scheduler": [
        "test_instructions_that_make_no_sense_stop_nobody",
        "test_an_unknown_operation_is_refused_to_whoever_asks",
    ],
    "a half-done instruction that is stored": [
        "test_a_task_enqueued_twice_is_run_once",
        "test_a_task_that_cannot_be_queued_keeps_no_key",
    ],
    "a deletion that misses a task just given to a worker": [
        "test_a_dequeued_running_task_is_let_end",
        "test_a_dequeued_running_periodic_task_does_not_come_back",
    ],
    "deleted tasks that stay in state QD": [
        "test_a_dequeued_task_is_not_run",
        "test_an_ended_task_can_be_deleted",
    ],
    "a moved task whose date and place in the queue disagree": [
        "test_moving_changes_nothing_before_the_scheduler_has_taken_it_up",
        "test_a_moved_task_is_run_once",
        "test_a_moved_task_can_be_dequeued",
        "test_a_task_whose_date_its_owner_changed_is_still_found_in_the_queue",
        "test_a_waiting_periodic_task_can_be_moved",
    ],
    "clients that write the scheduler's own shelves": [
        "test_other_instructions_are_true_and_stand_in_the_spool",
        "test_a_failed_task_is_started_by_an_instruction",
    ],
    "a stale shutdown that stops the next scheduler": [
        "test_a_shutdown_meant_for_an_earlier_scheduler_stops_nobody",
        "test_instructions_behind_a_shutdown_are_there_for_the_next_scheduler",
    ],
    # Start, stop and recovery.
    "left-overs of a dead scheduler that are skipped, or filed as failed": [
        "test_all_that_a_dead_scheduler_had_given_out_is_run",
    ],
    "work that was committed before a crash and is done again": [
        "test_a_run_committed_before_its_scheduler_died_counts_and_is_not_repeated",
    ],
    "workers of a killed scheduler that work on beside their successors": [
        "test_workers_end_with_their_killed_daemon",
    ],
    "a task that is on no shelf between two commits": [
        "test_a_killed_scheduler_costs_no_task_and_repeats_none",
    ],
    "a shutdown that abandons what is running": [
        "test_a_shutdown_waits_for_what_is_running",
        "test_a_task_longer_than_a_shutdown_waits_is_run_again_and_counts_once",
    ],
    "two schedulers of one database": ["test_a_second_scheduler_of_a_database_is_refused"],
    "a running flag that outlives its scheduler": [
        "test_a_state_left_by_a_dead_scheduler_does_not_stop_the_next_one",
        "test_a_process_is_not_taken_for_gone_because_the_clock_was_set",
    ],
    # Conflicts.
    "a conflict that commits one half of a move": [
        "test_a_unit_of_work_is_done_again_after_a_conflict",
    ],
    "conflicts without end that are reported as a success": ["test_the_last_conflict_is_raised"],
    "a conflict while preparing that fails the run": [
        "test_a_run_whose_preparation_meets_a_conflict_is_done_again",
        "test_a_run_that_meets_a_conflict_is_done_again",
    ],
    "one record for running list, flag, host and pid": [
        "test_clients_read_the_status_and_enqueue_while_it_changes_without_a_conflict",
    ],
    "a spool that is one object, with pairs that cannot be merged": [
        "test_threads_enqueue_while_the_spool_is_drained",
        "test_processes_enqueue_while_the_spool_is_drained",
    ],
    "equal instructions that conflict": ["test_two_equal_instructions_at_once_do_not_conflict"],
    "changes recorded in one bin that conflict": [
        "test_additions_to_the_same_fresh_bin_merge",
        "test_additions_to_a_bin_of_many_leaves_merge",
        "test_preparing_a_bin_and_adding_to_it_merge",
    ],
    "pruning that conflicts with recording": [
        "test_8_processes_record_without_conflict_and_nothing_is_lost",
    ],
    "pointers that share a record": ["test_pointers_of_two_agents_move_at_once"],
    "edits of a task that collide with its run": [
        "test_an_edit_of_a_task_that_is_at_work_is_kept_and_seen_by_its_run",
    ],
    "an end of a periodic run that writes all occurrences anew": [
        "test_the_hundredth_end_of_a_periodic_run_writes_no_more_than_the_tenth",
    ],
    # Runs.
    "expired tasks that are run": [
        "test_an_expired_task_is_terminated_and_never_counted_as_finished",
    ],
    "a failed run that commits what it had done, and sends its mail": [
        "test_a_failed_run_leaves_nothing_but_its_record",
        "test_a_run_that_is_rolled_back_sends_nothing",
    ],
    "a delay that uses up a try and keeps a worker waiting": [
        "test_a_delay_is_no_failed_try_and_leaves_nothing",
    ],
    "retries that keep a worker waiting, and are forgotten by a restart": [
        "test_a_task_that_waits_for_its_next_try_keeps_no_worker",
        "test_tries_are_counted_on_after_a_restart",
    ],
    "waits that do not grow": ["test_waits_grow_are_bounded_and_left_to_chance_in_part"],
    "a crash that looks like a failure": [
        "test_a_task_that_kills_its_worker_fails_and_the_others_are_run",
        "test_an_exit_ends_the_run_only",
    ],
    "tearDown that is never called": ["test_a_task_is_torn_down_once"],
    "a worker that writes on when its task was given up": [
        "test_a_task_taken_from_its_worker_has_no_effect_any_more",
        "test_a_run_over_its_hard_limit_is_terminated",
    ],
    "a watch on workers that is left to chance": [
        "test_a_killed_worker_is_noticed_within_seconds",
        "test_a_run_over_its_hard_limit_is_terminated",
    ],
    "any number of workers": ["test_no_more_tasks_are_run_at_a_time_than_there_are_workers"],
    "no record of what went wrong": [
        "test_a_failed_run_leaves_nothing_but_its_record",
        "test_a_run_that_succeeds_is_recorded_too",
    ],
    "two databases that are committed one after the other": [
        "test_effects_and_finished_mark_are_one_commit",
    ],
    "a task that is run by hand beside the scheduler": [
        "test_run_runs_a_task_here_and_leaves_its_state",
    ],
    # Recurring tasks.
    "a terminated periodic task that never runs again": [
        "test_a_periodic_task_goes_on_after_a_run_over_its_limit",
        "test_a_terminated_task_can_be_started_again",
    ],
    "a task that should not come back and stays on the running list": [
        "test_a_task_that_does_not_come_back_leaves_no_shelf_but_its_occurrence",
    ],
    "an exhausted rule that lingers on no shelf": [
        "test_the_last_date_of_a_rule_ends_the_task",
        "test_a_rule_without_dates_ends_the_task_that_is_enqueued",
    ],
    "unique tasks that are not": ["test_a_unique_task_is_admitted_once"],
    "rules that are walked from their beginning": [
        "test_an_old_rule_is_not_walked_from_its_beginning",
    ],
    "rules that are pickled": ["test_a_schedule_is_stored_as_plain_values"],
    "occurrences that grow with each run": [
        "test_so_many_ended_runs_are_kept_and_their_numbers_go_on",
        "test_occurrences_go_and_their_task_goes_on",
    ],
    # Order, time and growth.
    "tasks and occurrences that cannot be compared": [
        "test_an_occurrence_stands_behind_its_task_and_before_the_next_one",
        "test_none_stands_before_every_task",
    ],
    "times that depend on the host's zone": ["test_the_zone_of_the_host_does_not_matter"],
    "times that end in 2038": [
        "test_every_second_from_1970_to_9999_works",
        "test_a_task_due_after_2038_waits",
    ],
    "shelves that are never pruned": [
        "test_old_tasks_go_and_others_stay",
        "test_of_too_many_the_oldest_go",
    ],
    "a track that only grows": [
        "test_without_agents_old_changes_go",
        "test_changes_that_every_agent_has_had_go_after_a_while",
        "test_a_record_survives_the_removal_of_its_object",
    ],
    "lists without pages": ["test_tasks_are_shown_by_state_by_class_and_page_by_page"],
    # Tasks that are shipped, and those whose class is gone.
    "tasks whose class has gone that break the lists": [
        "test_a_task_without_class_is_set_aside_and_taken_back_with_its_class",
    ],
    "reminders of events that are gone": [
        "test_of_an_event_that_has_begun_nobody_is_reminded",
    ],
    "callers of what is gone, and dates that are always None": [
        "test_the_tasks_names_are_where_they_should_be",
        "test_an_occurrence_is_stored_with_times_and_the_next_date_set",
    ],
    "tasks that end themselves and vanish": [
        "test_a_waiting_task_that_is_cancelled_is_not_run",
        "test_a_cancelled_task_can_be_started_again",
    ],
}


def test_each_weakness_is_shown_by_tests_that_there_are():
    there = {
        name
        for file in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert {name for names in SHOWN_BY.values() for name in names} - there == set()


@pytest.fixture
def view(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")
    view = View(database, transaction.TransactionManager())
    yield view
    view.close()
    database.close()


# Instructions


def test_instructions_that_make_no_sense_stop_nobody(relay):
    task, later = Count(nowutc()), Count(nowutc() + timedelta(hours=1))
    relay.enqueue(task, later)
    for _ in range(2):
        relay.client.dequeue(later)
        relay.client.cancelTask(later)
        relay.client.moveTask(later, nowutc())
        relay.client.resumeTask(later)
    assert relay.run_due() == [task]
    assert later.getStatus() == TASK_STATUS_NONE


class Undatable(Noop):
    """Has a key, and cannot say when it is to be run."""

    def uniqueKey(self):
        return "the one"

    def getStartOn(self):
        raise RuntimeError("no idea")


def test_a_task_that_cannot_be_queued_keeps_no_key(relay):
    module = SchedulerModule.getDBInstance()
    relay.enqueue(Undatable(nowutc()))
    relay.run_due()
    assert len(module.aside()) == 1
    assert len(module.unique) == 0


def test_an_ended_task_can_be_deleted(relay):
    task = Count(nowutc())
    relay.enqueue(task)
    relay.run_due()
    relay.client.dequeue(task)
    relay.run_due()
    assert relay.client.getStatus()["finished"] == 0
    with pytest.raises(KeyError):
        relay.client.getTask(task.getId())


def test_moving_changes_nothing_before_the_scheduler_has_taken_it_up(relay):
    date = nowutc() + timedelta(hours=1)
    task = Count(date)
    relay.enqueue(task)
    relay.run_due()
    relay.client.moveTask(task, nowutc())
    assert task.getStartOn() == date
    assert relay.run_due() == [task]


def test_a_moved_task_can_be_dequeued(relay):
    task = Count(nowutc() + timedelta(hours=1))
    relay.enqueue(task)
    relay.run_due()
    relay.client.moveTask(task, nowutc() + timedelta(hours=2))
    relay.client.dequeue(task)
    relay.run_due()
    assert relay.client.getStatus()["waiting"] == 0


def test_a_failed_task_is_started_by_an_instruction(relay):
    task = FailTimes(nowutc(), 5)
    relay.enqueue(task)
    while task.getStatus() != 4:
        relay.run_due()
        relay.clock.advance(3600)
    relay.client.startFailedTask(task)
    assert list(relay.client.getSpool()) == [("add", task)]
    assert relay.client.getStatus()["failed"] == 1


# Start, stop and recovery


def give_out(connection):
    """Give all due tasks to a scheduler that dies at once."""
    module = SchedulerModule.getDBInstance(connection)
    moves = tick.Tick(module)
    for instruction in module.getSpool().take(100):
        moves.instructions.perform(instruction)
    return moves.claiming.claim(nowutc().timestamp(), 100, {})


def test_all_that_a_dead_scheduler_had_given_out_is_run(view):
    view.enqueue(*(Count(nowutc()) for _ in range(5)))
    assert len(transact(view.database, give_out)) == 5
    with running(view.database):
        view.until_counts(finished=5)


def test_a_run_committed_before_its_scheduler_died_counts_and_is_not_repeated(view):
    task = view.enqueue(Count(nowutc()))
    claims = transact(view.database, give_out)
    runner = Runner(view.database, 1, "test", lambda news: None)
    runner.run(claims[0], ClaimQueue())
    runner.close()
    with running(view.database):
        view.until_counts(finished=1)
    assert view.root["count"] == 1
    assert len(task.getAttempts()) == 1


def test_workers_end_with_their_killed_daemon(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    with closing(Daemon(tmp_path, uri, multitask_mode="processes")) as daemon:
        daemon.wait_until_up()
        workers = wait_for(daemon.workers)
        daemon.kill()
        assert psutil.wait_procs(workers, timeout=200)[1] == []


# Conflicts


class ConflictInPreparation(MeetConflict):
    def prepare(self):
        super().prepare()
        super().run()

    def run(self):
        pass


def test_a_run_whose_preparation_meets_a_conflict_is_done_again(relay):
    task = ConflictInPreparation(nowutc())
    relay.enqueue(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert relay.connection.root()["count"] == 2
    assert len(task.getAttempts()) == 1


class Edited(OneShotTask):
    """Notes its text; somebody edits that meanwhile, in its first run only."""

    text = "old"

    def run(self):
        current().root()["seen"] = self.text
        if self.text == "old":
            transact(current().db(), self.edit)

    def edit(self, connection):
        Client(connection).getTask(self.getId()).text = "new"


def test_an_edit_of_a_task_that_is_at_work_is_kept_and_seen_by_its_run(relay):
    task = Edited(nowutc())
    relay.enqueue(task)
    relay.run_due()
    assert task.getStatus() == TASK_STATUS_FINISHED
    assert (task.text, relay.connection.root()["seen"]) == ("new", "new")
    assert len(task.getAttempts()) == 1


def test_the_hundredth_end_of_a_periodic_run_writes_no_more_than_the_tenth(relay):
    relay.enqueue(EverySecond())
    sizes = [_bytes_of_next_second(relay) for _ in range(100)]
    assert min(sizes[90:]) < 1.5 * max(sizes[:10])


def _bytes_of_next_second(relay):
    relay.clock.advance(1)
    before = relay.database.storage.getSize()
    assert len(relay.run_due()) == 1
    return relay.database.storage.getSize() - before


def test_clients_read_the_status_and_enqueue_while_it_changes_without_a_conflict(view):
    view.enqueue(*(Count(nowutc()) for _ in range(50)))
    with running(view.database):
        for _ in range(50):
            seen = view.status()
            view.client.enqueue(Noop(nowutc()) if seen["running"] else Count(nowutc()))
            view.commit()  # a conflict would get out here
        view.until_counts(finished=100)


def test_two_equal_instructions_at_once_do_not_conflict(view):
    other = View(view.database, transaction.TransactionManager())
    with closing(other):
        for each in (view, other):
            each.refresh()
            each.client.shutdown("the same")
        view.commit()
        other.commit()
    view.refresh()
    assert list(view.client.getSpool()) == [("shutdown", "the same")] * 2


# Runs


def test_a_task_that_waits_for_its_next_try_keeps_no_worker(view):
    failing = view.enqueue(FailTimes(nowutc(), 1))
    with running(view.database, workers=1, task_max_tries=3):
        view.until(lambda: len(failing.getAttempts()) == 1)
        other = view.enqueue(Count(nowutc()))
        view.until(lambda: other.getStatus() == TASK_STATUS_FINISHED)
        assert len(failing.getAttempts()) == 1
        view.until(lambda: failing.getStatus() == TASK_STATUS_FINISHED)


def test_tries_are_counted_on_after_a_restart(view):
    task = view.enqueue(FailTimes(nowutc(), 2))
    for tries in (1, 2):
        with running(view.database, task_max_tries=2):
            view.until(lambda tries=tries: len(task.getAttempts()) == tries)
    assert [attempt.number for attempt in task.getAttempts()] == [1, 2]
    assert view.counts() == {"failed": 1}


def test_waits_grow_are_bounded_and_left_to_chance_in_part():
    retry = Retry(first=2, factor=2, longest=60, jitter=0.5)
    for tries, longest in ((1, 2), (2, 4), (5, 32), (6, 60), (10_000, 60)):
        waits = {retry.wait(tries) for _ in range(50)}
        assert len(waits) > 1
        assert min(waits) >= longest / 2
        assert max(waits) <= longest


at_work = []


class Together(OneShotTask):
    """Notes how many of its kind are at work with it."""

    most = 0

    def run(self):
        at_work.append(threading.get_ident())
        Together.most = max(Together.most, len(at_work))
        time.sleep(0.05)
        at_work.pop()


def test_no_more_tasks_are_run_at_a_time_than_there_are_workers(view):
    view.enqueue(*(Together(nowutc()) for _ in range(12)))
    with running(view.database, workers=3):
        view.until_counts(finished=12)
    assert Together.most <= 3


# Recurring tasks


@pytest.mark.parametrize("kind", ["periodic", "once"])
def test_a_terminated_task_can_be_started_again(view, tmp_path, kind):
    go = tmp_path / "go"
    task = LimitedTick(rrule.YEARLY) if kind == "periodic" else LimitedWait(nowutc(), str(go))
    view.enqueue(task)
    with running(view.database):
        view.until(lambda: view.counts().get("failed") == 1)
        go.touch()
        if kind == "once":
            assert task.getStatus() == TASK_STATUS_TERMINATED
            view.client.startFailedTask(task)
        else:
            view.client.moveTask(task, nowutc())
        view.commit()
        view.until(lambda: view.root.get("count") == 1)


class LimitedWait(Wait):
    hardLimit = 0.5


def test_a_rule_without_dates_ends_the_task_that_is_enqueued(relay):
    past = nowutc() - timedelta(days=2)
    task = Tick(rrule.YEARLY, dtstart=past, until=past - timedelta(days=1))
    relay.enqueue(task)
    assert relay.run_due() == []
    assert task.getStatus() == TASK_STATUS_TERMINATED
    assert relay.client.getStatus()["failed"] == 1


# Order, time and growth


def test_a_task_due_after_2038_waits(view):
    date = nowutc().replace(year=2050)
    task = view.enqueue(Count(date))
    with running(view.database):
        view.until_counts(waiting=1)
        view.enqueue(Sleep(nowutc(), 0))
        view.until_counts(waiting=1, finished=1)
    queue = SchedulerModule.getDBInstance(view.connection).getWaitingQueue()
    assert list(queue[int(date.timestamp())]) == [task]
    assert Client(view.connection).getTask(task.getId()) is task
