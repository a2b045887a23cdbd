"""Retention: the track is trimmed behind the slowest agent, and waits for none for ever.

Covers `livesync.track.retention_policy`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from livesync import SyncManager
from livesync.delivery.status import status_of
from livesync.errors import CutOffException, PositionGoneException
from livesync.feed import trimmer
from livesync.struct import ListMultiPointerTrack, SetMultiPointerTrack
from livesync.tasks import LiveSyncUpdateTask
from livesync.track.retention_policy import DAY, TrackRetention
from scheduler.store import transact
from tests.livesync.agents_for_tests import ListAgent

NOW = 100 * DAY


@pytest.fixture(autouse=True)
def clock(relay_clock):
    relay_clock.now = datetime.fromtimestamp(NOW, UTC)
    return relay_clock


@pytest.fixture
def agents(manager, commit):
    found = [ListAgent(name, name, "", 60) for name in ("fast", "slow")]
    for agent in found:
        agent.setActive(True)
        manager.registerNewAgent(agent)
    commit()
    return found


@pytest.fixture
def record(manager, commit):
    """Record a change in the bin of each of these days."""

    def record(*days):
        for day in days:
            manager.add(day * DAY, f"day {day}")
        commit()
        manager.getTrack()

    return record


@pytest.fixture
def advance(manager, commit):
    def advance(name, day):
        manager.advance(name, day * DAY // 100)
        commit()

    return advance


@pytest.fixture
def trim(database, connection):
    def trim():
        count = trimmer.trim(database)
        connection.transaction_manager.begin()
        return count

    return trim


def days(manager):
    return sorted(int(value.split()[1]) for _, value in manager.getTrack())


def test_changes_that_every_agent_has_had_go_after_a_while(agents, record, advance, trim, manager):
    record(80, 85, 90, 95, 99)
    advance("fast", 99)
    advance("slow", 96)

    assert trim() == 3
    assert days(manager) == [95, 99]
    assert trim() == 0


def test_changes_that_the_slowest_agent_has_not_had_stay(agents, record, advance, trim, manager):
    record(80, 85, 90)
    advance("fast", 90)
    advance("slow", 80)

    assert trim() == 1
    assert days(manager) == [85, 90]
    assert [value for _, value in manager.query("slow")] == ["day 90", "day 85"]


def test_a_new_agent_keeps_everything(agents, record, advance, trim, manager):
    record(80, 85)
    advance("fast", 85)

    assert trim() == 0
    assert agents[1].cut_off is None


def test_without_agents_old_changes_go(record, trim, manager):
    record(80, 99)

    assert trim() == 1
    assert days(manager) == [99]


def test_a_dead_agent_is_not_waited_for(agents, record, advance, trim, manager, caplog):
    record(60, 65, 98)
    advance("fast", 98)
    advance("slow", 60)

    assert trim() == 2
    assert "agent slow is cut off: the oldest change before it was 35.0 days old" in caplog.text
    assert status_of(agents[1], manager).state == "cut off"
    assert "35.0 days" in status_of(agents[1], manager).last_error
    assert agents[0].cut_off is None


def test_with_too_many_changes_the_slowest_are_not_waited_for(
    agents, record, advance, trim, manager, commit
):
    manager.retention = TrackRetention(most=3)
    record(95, 96, 97, 98, 99)
    advance("fast", 97)
    advance("slow", 95)

    assert trim() == 2
    assert days(manager) == [97, 98, 99]
    assert agents[1].cut_off == "there were more than 3 changes on the track"
    assert agents[0].cut_off is None


def test_an_agent_that_was_cut_off_is_not_run_until_it_begins_anew(
    agents, record, advance, trim, manager, commit, deliveries
):
    slow = agents[1]
    record(60, 65, 98)
    advance("fast", 98)
    advance("slow", 60)
    trim()

    assert list(LiveSyncUpdateTask(5).run()) == ["fast"]
    assert slow.run(None) is None
    assert "activate --skip" in slow.last_failure[1]
    with pytest.raises(CutOffException):
        manager.query("slow")
    slow.preActivate(manager.claim())
    record(99)
    assert slow.run(None)
    assert deliveries["slow"] == [["day 99"]]


def test_nobody_is_rewound_to_where_changes_are_gone(agents, record, advance, trim, manager):
    record(80, 85, 95)
    advance("fast", 95)
    advance("slow", 95)
    trim()
    fast = agents[0]
    with pytest.raises(PositionGoneException, match="trimmed up to"):
        fast.rewind(80 * DAY // 100)
    fast.rewind(None)

    assert [value for _, value in manager.query("fast")] == ["day 95"]


def test_the_update_task_trims_now_and_then(agents, record, connection, manager, clock, commit):
    record(80, 99)
    LiveSyncUpdateTask(5).run()
    connection.transaction_manager.begin()
    assert days(manager) == [99]
    manager.add(81 * DAY, "day 81")
    commit()
    LiveSyncUpdateTask(5).run()
    connection.transaction_manager.begin()
    assert days(manager) == [81, 99]
    clock.advance(10 * DAY)
    LiveSyncUpdateTask(5).run()
    connection.transaction_manager.begin()

    assert days(manager) == []


def test_an_idle_agent_goes_on_with_the_time(agents, record, connection, clock):
    record(99)
    LiveSyncUpdateTask(5).run()
    clock.advance(DAY)
    LiveSyncUpdateTask(5).run()
    connection.transaction_manager.begin()

    assert agents[0].getLastTS() == (NOW + DAY) // 100 - 1


def test_a_look_that_finds_nothing_to_trim_writes_nothing(
    database, agents, record, advance, trim, clock
):
    record(80, 99)
    advance("fast", 99)
    advance("slow", 99)
    assert trim() == 1
    before = sum(1 for _ in database.storage.iterator())
    clock.advance(DAY)
    assert trim() == 0
    assert sum(1 for _ in database.storage.iterator()) == before


def test_trimming_conflicts_with_no_recording(agents, record, advance, manager, open_connection):
    record(*range(60, 100))
    advance("fast", 99)
    advance("slow", 99)
    other = open_connection()
    SyncManager.getDBInstance(other).add(99 * DAY + 50, "day 999")
    assert trimmer.trim(other.db()) > 30
    other.transaction_manager.commit()

    manager._p_jar.transaction_manager.begin()
    assert days(manager)[-1] == 999


@pytest.mark.parametrize("kind", [SetMultiPointerTrack, ListMultiPointerTrack])
def test_a_track_is_trimmed_piece_by_piece(kind):
    track = kind()
    for number in range(10):
        track.add(number, number)
    counts = []
    while count := track.trim(6, 3):
        counts.append(count)

    assert counts == [3, 3, 1]
    assert [position for position, _ in track] == [9, 8, 7]
    assert track.size() == 3


@pytest.mark.parametrize("values", [{"keep": -1}, {"most": float("inf")}])
def test_a_retention_of_no_use_is_refused(values):
    with pytest.raises(ValueError, match="must be at least 0"):
        TrackRetention(**values)


def test_the_manager_keeps_its_retention(database, manager, commit):
    manager.retention = TrackRetention(keep=1)
    commit()

    assert transact(database, lambda own: SyncManager.getDBInstance(own).retention.keep) == 1
