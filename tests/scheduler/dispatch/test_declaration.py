"""Schedules that functions declare: they enter, change and vanish with the code.

Covers `scheduler.dispatch.declaration`, `scheduler.shelves.declared_schedules`,
`scheduler.tasks.function_schedule`, `scheduler.tasks.scheduled_call`,
`scheduler.schedules.rule_text`, `scheduler.values.plain`.
"""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from persistent.mapping import PersistentMapping

from daemon.views.schedule_rows import schedule_rows
from scheduler import TASK_STATUS_FINISHED, TASK_STATUS_NONE, Scheduler, SchedulerModule, task
from scheduler.dispatch.declaration import declare, declared_in
from scheduler.errors import SchedulerConfigurationException
from scheduler.shelves.declared_schedules import declared_schedules
from scheduler.store import transact
from scheduler.tasks.call import found
from scheduler.tasks.function import SCHEDULED
from scheduler.tasks.scheduled_call import ScheduledCall
from tests.scheduler.harness import running
from tests.scheduler.odd_tasks import PASSING, damage, passing_values

HEAD = """
from scheduler import attempt, task
from scheduler.store import current
"""

BEAT = """
@task(every=0.2)
def beat():
    root = current().root()
    root["beats"] = (*root.get("beats", ()), attempt.date)
"""

NIGHTLY = """
@task(cron="0 3 * * *", zone="Europe/Zurich", maxTries=2, catchUp="all")
async def nightly():
    return attempt.occurrence
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of that name and import it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(*parts, name="declaring"):
        (tmp_path / f"{name}.py").write_text(HEAD + textwrap.dedent("".join(parts)))
        for key in [key for key in SCHEDULED if key[0] == name]:
            del SCHEDULED[key]
        sys.modules.pop(name, None)
        found.cache_clear()
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield write
    for key in [key for key in SCHEDULED if key[0].startswith("declaring")]:
        del SCHEDULED[key]
    sys.modules.pop("declaring", None)
    found.cache_clear()


@pytest.fixture
def enter(relay):
    """Bring what a module declares into the database, as the leader does at its start."""

    def enter(module):
        transact(relay.database, lambda connection: declare(connection, declared_in([module])))
        relay.run_due()
        return relay.client.getSchedules()

    return enter


def test_a_schedule_enters_and_is_followed(relay, enter, module):
    relay.clock.now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    nightly = enter(module(NIGHTLY))["declaring.nightly"].task
    assert nightly.getDueOn() == datetime(2026, 6, 2, 1, tzinfo=UTC)
    assert (nightly.maxTries, nightly.catchUp, nightly.overlap) == (2, "all", "skip")
    for _ in range(3):
        relay.clock.advance(86400)
        relay.run_due()
    results = [run.getStatus() for run in nightly.getOccurrences()]
    assert len(results) == 3
    assert nightly.getResult() == 2


MEETING = """
import asyncio

here = set()

async def meet(name):
    here.add(name)
    while len(here) < 2:
        await asyncio.sleep(0.01)
    return len(here)
"""

ATTENDEES = """
@task(every=3600, overlap={overlap!r}, maxTries=1)
async def anna():
    return await meet("anna")

@task(every=3600, overlap={overlap!r}, maxTries=1)
async def otto():
    return await meet("otto")
"""


@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_scheduled_coroutines_are_at_work_at_once_on_one_worker(view, database, module, overlap):
    module(MEETING, ATTENDEES.format(overlap=overlap))
    with running(database, workers=1, imports=["declaring"]):
        schedules = view.until(view.client.getSchedules)
        tasks = [schedules[f"declaring.{name}"].task for name in ("anna", "otto")]
        runs = view.until(lambda: _occurrences(tasks))
    assert [run.getStatus() for run in runs] == [TASK_STATUS_FINISHED] * 2


def _occurrences(tasks):
    runs = [run for task in tasks for run in task.getOccurrences()]
    return runs if len(runs) == 2 else None


def test_an_unchanged_declaration_changes_nothing(relay, enter, module):
    first = enter(module(BEAT, NIGHTLY))
    before = relay.database.lastTransaction()
    connection = relay.database.open()
    declare(connection, declared_in([module(BEAT, NIGHTLY)]))
    assert not connection._registered_objects
    connection.close()
    assert relay.database.lastTransaction() == before
    assert relay.client.getSchedules() == first


def test_a_changed_declaration_changes_the_schedule(relay, enter, module):
    relay.clock.now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    before = enter(module(NIGHTLY))["declaring.nightly"].task
    after = enter(module(NIGHTLY.replace("0 3", "0 5")))["declaring.nightly"].task
    assert after is before
    assert after.getDueOn() == datetime(2026, 6, 2, 3, tzinfo=UTC)


def test_policies_and_options_change_with_the_code(relay, enter, module):
    enter(module(NIGHTLY))
    changed = enter(module(NIGHTLY.replace('maxTries=2, catchUp="all"', "priority=3")))
    nightly = changed["declaring.nightly"].task
    assert (nightly.maxTries, nightly.catchUp, nightly.priority) == (None, "latest", 3)


def test_a_vanished_declaration_is_marked_goes_on_and_is_removed_when_asked(relay, enter, module):
    enter(module(BEAT, NIGHTLY))
    schedules = enter(module(BEAT))
    assert {name: entry.is_declared for name, entry in schedules.items()} == {
        "declaring.beat": True,
        "declaring.nightly": False,
    }
    relay.client.dequeue(schedules["declaring.nightly"].task)
    relay.run_due()
    assert set(relay.client.getSchedules()) == {"declaring.beat"}
    assert set(enter(module(BEAT))) == {"declaring.beat"}
    assert enter(module(BEAT, NIGHTLY))["declaring.nightly"].is_declared


def test_a_schedule_that_was_dequeued_enters_anew_at_the_next_start(relay, enter, module):
    beat = enter(module(BEAT))["declaring.beat"].task
    relay.client.dequeue(beat)
    relay.run_due()
    assert beat.getStatus() == TASK_STATUS_NONE
    assert enter(module(BEAT))["declaring.beat"].task is not beat


def test_a_damaged_shelf_of_schedules_is_made_anew_with_the_same_tasks(view, database, module):
    module(BEAT, NIGHTLY)
    with running(database, imports=["declaring"]):
        view.until(lambda: view.root.get("beats"))
    before = {name: entry.task.getId() for name, entry in view.client.getSchedules().items()}
    shelf = declared_schedules(view.connection)
    view.root["other"] = PersistentMapping()
    view.commit()
    damage(database, shelf._p_oid, view.root["other"]._p_oid, "cut to a byte")
    view.connection.cacheMinimize()
    seen = len(view.root["beats"])
    with running(database, imports=["declaring"]):
        view.until(lambda: len(view.root["beats"]) > seen)
    after = {name: entry.task.getId() for name, entry in view.client.getSchedules().items()}
    assert after == before
    tasks = SchedulerModule.getDBInstance(view.connection).getTaskIndex().values()
    assert sum(isinstance(task, ScheduledCall) for task in tasks) == 2


@pytest.fixture
def passing():
    yield passing_values
    sys.modules.pop(PASSING, None)


def test_a_schedule_that_cannot_be_read_is_a_dead_letter_and_holds_up_no_other(
    view, database, module, passing
):
    module(BEAT, NIGHTLY)
    with running(database, imports=["declaring"]):
        view.until(lambda: view.root.get("beats"))
    nightly = view.client.getSchedules()["declaring.nightly"].task
    nightly._result = passing(True).Color.BLUE  # what an attempt has returned
    nightly._p_changed = True
    view.commit()
    passing(False)
    view.connection.cacheMinimize()
    seen = len(view.root["beats"])
    with running(database, imports=["declaring"]):
        view.until(lambda: len(view.root["beats"]) > seen)
        module_ = SchedulerModule.getDBInstance(view.connection)
        [aside] = module_.aside()
        assert "is not a valid Color" in aside.reason
        rows = {row.name: row for row in schedule_rows(view.client, module_)}
        assert "cannot be read" in rows["declaring.nightly"].reason
        view.client.dequeue(aside.obj)
        view.commit()
        view.until(lambda: not module_.aside())
    with running(database, imports=["declaring"]):
        view.until(lambda: "declaring.nightly" in view.client.getSchedules())
    assert view.client.getSchedules()["declaring.nightly"].number != aside.number


def test_a_schedule_given_by_a_member_of_an_enumeration_is_stored_as_its_value(
    relay, enter, module
):
    text = """
    import enum
    Night = enum.Enum("Night", {"LATE": "0 3 * * *", "ZONE": "Europe/Zurich"}, type=str)
    Hours = enum.IntEnum("Hours", {"ONE": 3600})

    @task(cron=Night.LATE, zone=Night.ZONE)
    def nightly():
        pass

    @task(every=Hours.ONE)
    def hourly():
        pass
    """
    for entry in enter(module(text)).values():
        stored = (*entry.declaration, *entry.task.getSchedule().packed())
        assert b"cdeclaring" not in pickle.dumps(stored, 0)


def test_a_function_imported_from_another_module_is_declared_by_that(relay, enter, module):
    module(BEAT, name="declaring_other")
    front = module("\nfrom declaring_other import beat\n")
    assert set(enter(front)) == {"declaring_other.beat"}
    assert declared_in([module(NIGHTLY)]).keys() == {"declaring:nightly"}


def test_several_schedulers_declare_each_schedule_once(view, database, module):
    module(BEAT, NIGHTLY)
    settings = {"imports": ["declaring"], "standby": True}
    with running(database, **settings) as first, running(database, **settings):
        view.until(lambda: len(view.root.get("beats", ())) >= 2)
        first.scheduler.shutdown("the next one leads")
        first.join()
        seen = len(view.root["beats"])
        view.until(lambda: len(view.root["beats"]) >= seen + 2)
        tasks = SchedulerModule.getDBInstance(view.connection).getTaskIndex().values()
        assert sum(isinstance(task, ScheduledCall) for task in tasks) == 2
    dates = view.root["beats"]
    assert all(earlier < later for earlier, later in pairwise(dates))


def test_a_module_that_cannot_be_imported_stops_the_start(database, module):
    with pytest.raises(SchedulerConfigurationException, match="imports names 'no_such_module'"):
        Scheduler(database=database, imports=["no_such_module"]).run()
    with pytest.raises(SchedulerConfigurationException, match="list of the names of modules"):
        Scheduler(database=database, imports="declaring")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cron": "often"}, "'often' is no cron expression"),
        ({"cron": "0 3 * * *", "zone": "Mars"}, "'Mars' is no time zone"),
        ({"cron": "0 3 * * *", "every": 5}, "cron and every are both given"),
        ({"every": 0}, "every is 0; it must be a number of seconds above 0"),
        ({"every": 5, "zone": "UTC"}, "zone is given with every"),
        ({"zone": "UTC"}, "zone is given without a schedule"),
        ({"overlap": "skip"}, "overlap is given without a schedule"),
        ({"every": 5, "overlap": "never"}, "overlap is 'never'; it must be 'skip'"),
        ({"rrule": "FREQ=FORTNIGHTLY"}, "is no recurrence rule"),
        ({"rrule": "FREQ=DAILY;BYDAY=XX"}, "'XX' is no day of the week"),
        ({"every": 5, "expiry": 3}, "misfireGrace is that of its dates"),
        ({"crn": "0 3 * * *"}, "did you mean 'cron'"),
    ],
)
def test_a_wrong_schedule_is_refused_when_the_module_is_imported(options, message):
    with pytest.raises((TypeError, ValueError), match=message):

        @task(**options)
        def scheduled_here():
            pass


def test_a_function_that_needs_arguments_has_no_schedule():
    with pytest.raises(ValueError, match="which calls it without arguments: missing"):

        @task(every=5)
        def scheduled_here(order):
            pass


def test_a_schedule_of_the_script_is_refused_when_the_scheduler_starts():
    script = (
        "from scheduler import Scheduler, task\n"
        "@task(every=5)\ndef beat(): pass\n"
        "try:\n"
        "    Scheduler(database='memory://', imports=['__main__']).run()\n"
        "except TypeError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=200
    )
    assert "is defined in the script that runs" in done.stdout
