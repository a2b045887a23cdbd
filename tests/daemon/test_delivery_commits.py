"""The number of commits for one record delivered, with the daemon started by its command."""

from __future__ import annotations

from contextlib import closing

from livesync import SyncManager
from scheduler.store import open_database, transact
from tests.rest import change, resting
from tests.waiting import DEADLINE, wait_for

MOST_COMMITS = 4
NOTE = "livesync: "


def delivered(connection):
    return SyncManager.getDBInstance(connection).getAgent("a").delivery_state.delivered


def test_one_record_delivered_by_the_daemon_costs_at_most_four_commits(tmp_path):
    with (
        resting(tmp_path, "embedded", "agent follows") as rest,
        closing(open_database(rest.place.uri)) as database,
    ):
        wait_for(lambda: transact(database, delivered) == 1, DEADLINE)
        transact(database, lambda own: SyncManager.getDBInstance(own).setGranularity(0.1))
        newest = rest.place.newest()
        change(database)
        wait_for(lambda: transact(database, delivered) == 2, DEADLINE)
        notes = [each.what for each in rest.place.since(newest)]
        assert 0 < sum(note.startswith(NOTE) for note in notes) <= MOST_COMMITS, notes
