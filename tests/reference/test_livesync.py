"""Chapter 4 of the reference: its names, and livesync used by them, without the daemon."""

from __future__ import annotations

import inspect
import logging

import pytest
import transaction
from dateutil.rrule import MINUTELY, SECONDLY

import livesync
from livesync import (
    ActionWrapper,
    PushSyncAgent,
    RecordUploader,
    SyncAgent,
    SyncManager,
    agent,
    components,
    struct,
    tasks,
)
from livesync.struct import EmptyTrackException, ListMultiPointerTrack, SetMultiPointerTrack
from scheduler.store import open_database, using
from scheduler.tasks import PeriodicTask

DOCUMENTED = {
    struct.MultiPointerTrack: [
        "__init__(elemContainer)",
        "add(intTS, value)",
        "addPointer(pid, startPos=None)",
        "getCurrentPosition(pid)",
        "getPointerTimestamp(pid)",
        "iterate(fromPos=None, till=None, func=*)",
        "mostRecentTS(maximum=None)",
        "movePointer(pid, pos)",
        "oldestTS()",
        "pointerIterItems(pid, till=None)",
        "pointerIterValues(pid, till=None)",
        "prepareEntry(ts)",
        "removePointer(pid)",
    ],
    struct.SetMultiPointerTrack: ["__init__()"],
    struct.ListMultiPointerTrack: ["__init__()"],
    SyncManager: [
        "__init__(granularity=100)",
        "add(timestamp, action)",
        "advance(agentId, newLastTS)",
        "getAllAgents()",
        "getGranularity()",
        "getTrack()",
        "objectExcluded(obj)",
        "query(agentId=None, till=None)",
        "registerNewAgent(agent)",
        "removeAgent(agent)",
        "reset(agentsOnly=False, trackOnly=False)",
    ],
    SyncAgent: ["__init__(aid, name, description, updateTime, access=None)", "record_str(record)"],
    PushSyncAgent: [
        "__init__(aid, name, description, updateTime, access=None)",
        "_generateRecords(data, lastTS, dbi=None)",
        "_run(data, logger=None, monitor=None, dbi=None, task=None)",
        "acknowledge()",
        "run(currentTS, logger=None, monitor=None, dbi=None, task=None)",
    ],
    RecordUploader: [
        "__init__(logger, agent, batchSize=1000)",
        "_uploadBatch(batch)",
        "iterateOver(iterator, dbi=None)",
    ],
    ActionWrapper: ["__init__(timestamp, obj, actions, objId)", "getObject()", "getActions()"],
}


def shown(function):
    parameters = list(inspect.signature(function).parameters.values())[1:]
    texts = [
        parameter.name
        + (
            ""
            if parameter.default is parameter.empty
            else "=*"
            if callable(parameter.default)
            else f"={parameter.default!r}"
        )
        for parameter in parameters
    ]
    return f"{function.__name__}({', '.join(texts)})"


@pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda kind: kind.__name__)
def test_methods_are_called_as_documented(documented):
    for text in DOCUMENTED[documented]:
        assert shown(getattr(documented, text.partition("(")[0])) == text


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (livesync, "SyncManager SyncAgent PushSyncAgent ActionWrapper RecordUploader"),
        (struct, "MultiPointerTrack SetMultiPointerTrack ListMultiPointerTrack"),
        (struct, "EmptyTrackException"),
        (agent, "SyncManager SyncAgent PushSyncAgent RecordUploader"),
        (agent, "QueryException AgentExecutionException"),
        (components, "ObjectChangeListener RequestListener RequestListenerContext"),
        (tasks, "LiveSyncUpdateTask"),
    ],
)
def test_names_are_where_they_are_documented(module, names):
    for name in names.split():
        assert isinstance(getattr(module, name), type)


def test_bases_are_the_documented_ones():
    assert issubclass(PushSyncAgent, SyncAgent)
    assert issubclass(SetMultiPointerTrack, struct.MultiPointerTrack)
    assert issubclass(tasks.LiveSyncUpdateTask, PeriodicTask)
    assert tasks.LiveSyncUpdateTask(SECONDLY, interval=3).getStartOn() is not None


@pytest.mark.parametrize("kind", [SetMultiPointerTrack, ListMultiPointerTrack])
@pytest.mark.parametrize("position", ["3", 3.5, None])
def test_a_value_that_is_no_whole_number_is_no_position(kind, position):
    track = kind()
    with pytest.raises(TypeError, match="whole number"):
        track.add(position, "value")
    assert position not in track
    with pytest.raises(KeyError):
        track[position]


@pytest.mark.parametrize("kind", [SetMultiPointerTrack, ListMultiPointerTrack])
def test_positions_reach_as_far_as_64_bits(kind):
    track = kind()
    for position in (2**40, 2**31, -5, 0):
        track.add(position, "value")

    assert [position for position, _ in track] == [2**40, 2**31, 0, -5]
    assert track.next_after(0) == 2**31


def test_a_set_track_can_be_added_to_while_it_is_read():
    track = SetMultiPointerTrack()
    for number in range(3000):
        track.add(1, number)
    read = []
    for _, number in track:
        read.append(number)
        if number < 3000:
            track.add(1, number + 10_000)

    assert read[:3000] == list(range(3000))


class Remote:
    """A stub of a service, as small as can be."""

    def __init__(self):
        self.state = set()

    def apply(self, command, element):
        getattr(self.state, {"add": "add", "del": "discard"}[command])(element)


remotes = {}


class StubAgent(PushSyncAgent):
    """Brings what was added and deleted to its remote, oldest first."""

    def _generateRecords(self, data, lastTS, dbi=None):
        return [(action.getObjectId(), next(iter(action.getActions()))) for _, action in data][::-1]

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        for element, command in data:
            remotes[self.getId()].apply(command, element)
        return True


@pytest.fixture
def direct(tmp_path):
    """A manager with bins of a second and two agents, used without any daemon."""
    database = open_database(f"file://{tmp_path}/data.fs")
    with using(database.open()) as connection:
        manager = SyncManager.getDBInstance()
        manager._granularity = 1
        for name in ("one", "two"):
            remotes[name] = Remote()
            manager.registerNewAgent(StubAgent(name, name, "", 1))
        transaction.commit()
        yield manager
        transaction.abort()
        connection.close()
    database.close()


def record(manager, second, element, command):
    manager.add(second, ActionWrapper(second, None, {command}, element))
    transaction.commit()


def run(manager, name, second):
    agent = manager.getAllAgents()[name]
    assert agent.run(second, logger=logging.getLogger("test"), dbi=manager._p_jar)
    agent.acknowledge()
    transaction.commit()


def test_an_agent_has_what_was_added_once_it_has_run(direct):
    record(direct, 1, "a", "add")
    run(direct, "one", 2)

    assert remotes["one"].state == {"a"}
    assert remotes["two"].state == set()
    run(direct, "two", 2)
    assert remotes["two"].state == {"a"}


def test_an_agent_that_runs_later_ends_in_the_right_state(direct):
    record(direct, 1, "a", "add")
    run(direct, "one", 2)
    record(direct, 3, "a", "del")
    record(direct, 3, "b", "add")
    run(direct, "one", 5)
    run(direct, "two", 5)

    assert remotes["one"].state == remotes["two"].state == {"b"}


def test_successive_changes_come_in_order(direct):
    for second, command in enumerate(["add", "del", "add", "del", "add"], 1):
        record(direct, second * 2, "a", command)
        run(direct, "one", second * 2 + 1)
        assert remotes["one"].state == ({"a"} if command == "add" else set())
    assert remotes["two"].state == set()


def test_the_task_can_be_run_on_an_empty_track(direct):
    for each in direct.getAllAgents().values():
        each.setActive(True)
    transaction.commit()

    assert tasks.LiveSyncUpdateTask(MINUTELY).run() == {
        "one": "up to date: 0 records",
        "two": "up to date: 0 records",
    }


def test_the_task_tells_whose_target_failed(direct):
    for each in direct.getAllAgents().values():
        each.setActive(True)
    record(direct, 1, "a", "add")
    del remotes["two"]
    outcomes = tasks.LiveSyncUpdateTask(MINUTELY).run()

    assert outcomes == {"one": "up to date: 1 records", "two": "failed: KeyError: 'two'"}


def test_an_uploader_used_alone_raises_what_a_batch_raises(direct):
    class Failing(RecordUploader):
        def _uploadBatch(self, batch):
            if 3 in batch:
                raise ValueError("three")
            taken.extend(batch)

    taken = []
    uploader = Failing(None, direct.getAllAgents()["one"], batchSize=2)
    with pytest.raises(ValueError, match="three"):
        uploader.iterateOver(range(6))
    assert taken == [0, 1]


def test_an_empty_track_has_no_positions_to_go_to(direct):
    with pytest.raises(EmptyTrackException):
        direct.advance("one", 5)
    with pytest.raises(KeyError, match="three"):
        direct.advance("three", 5)
