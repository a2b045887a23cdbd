"""Pages of the spool that are damaged while clients append and the scheduler takes."""

from __future__ import annotations

import os

from hypothesis import example, given, settings
from hypothesis import strategies as st
from persistent.mapping import PersistentMapping
from ZODB.POSException import ConflictError
from ZODB.utils import load_current

from scheduler import SchedulerModule, nowutc
from scheduler.inbox.spool import LIMIT, PAGE, spool_of
from scheduler.log.codec import entry_of
from scheduler.log.segment import SegmentPage
from scheduler.store import open_database
from tests.scheduler.harness import View, running
from tests.scheduler.odd_tasks import damage
from tests.scheduler.sample_tasks import Count

CLIENTS = (0, 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["put", "put", "commit", "damage"]), st.sampled_from(CLIENTS)),
        st.tuples(st.just("take"), st.integers(1, 20)),
    ),
    max_size=40,
)


class Play:
    """Two clients and a scheduler at one spool, of which pages are damaged."""

    def __init__(self, database):
        self.database = database
        self.clients = [View(database) for _ in CLIENTS]
        self.reader = View(database)
        self.reader.root["other"] = PersistentMapping()
        spool_of(self.reader.connection)
        self.reader.commit()
        self.number = 0
        self.uncommitted = {who: [] for who in CLIENTS}
        self.stored, self.taken, self.endangered = set(), [], set()

    def close(self):
        for view in (*self.clients, self.reader):
            view.close()

    def put(self, who):
        """Put a few instructions: often enough for a page to be filled."""
        for _ in range(1 + self.number % 9):
            self.number += 1
            spool_of(self.clients[who].connection).put(LIMIT, (str(who), self.number))
            self.uncommitted[who].append((str(who), self.number))

    def commit(self, who):
        try:
            self.clients[who].commit()
            self.stored.update(self.uncommitted[who])
        except ConflictError:
            self.clients[who].manager.abort()
        self.uncommitted[who] = []
        self.clients[who].refresh()

    def take(self, limit):
        self.reader.refresh()
        instructions = spool_of(self.reader.connection).take(limit)
        self.taken += [each.obj for each in instructions if each.op != PAGE]
        self.reader.commit()
        return instructions

    def damage(self, which):
        """Damage a record in its place, so that clients which have it in memory do not notice."""
        self.reader.refresh()
        segments = [*filter(None, spool_of(self.reader.connection)._log._register.values())]
        if len(segments) > which:
            pages = segments[which]._pages
            oid = pages[pages.maxKey()]._p_oid
            revisions = self.database.storage._data[oid]
            revisions[revisions.maxKey()] = b"\x80"
            self.endangered |= self.stored - set(self.taken)
        self.reader.connection.cacheMinimize()


@given(STEPS)
@example([("put", 0), ("commit", 0), ("take", 9), ("put", 0), ("damage", 0), ("take", 9)])
@settings(max_examples=2000 if os.environ.get("SOAK") else 100, deadline=None)
def test_instructions_after_the_damage_are_taken_and_none_twice(steps):
    database = open_database("memory://")
    play = Play(database)
    try:
        for step, argument in steps:
            getattr(play, step)(argument)
        for who in CLIENTS:
            play.commit(who)
        while play.take(100):
            pass
        assert not len(spool_of(play.reader.connection))
        assert not spool_of(play.reader.connection).has_undone()
        assert len(play.taken) == len(set(play.taken))
        assert play.stored - set(play.taken) <= play.endangered
    finally:
        play.close()
        database.close()


def test_of_a_page_that_can_be_read_again_the_entries_come_that_were_not_drained(database):
    play = Play(database)
    spool = spool_of(play.reader.connection)
    for number in range(5):
        spool.put(LIMIT, ("", number))
    play.reader.commit()
    play.take(2)
    (segment,) = filter(None, spool._log._register.values())
    page = segment._pages[1]
    record, _ = load_current(database.storage, page._p_oid)
    damage(database, page._p_oid, play.reader.root["other"]._p_oid, "cut to a byte")
    ((_, page, *_),) = play.take(100)
    assert isinstance(page, SegmentPage)
    page.lost = record
    recovered = [entry_of(each, play.reader.connection) for each in page.recovered()]
    play.close()
    assert recovered == [(LIMIT, ("", number)) for number in (2, 3, 4)]


def test_tasks_that_are_enqueued_after_the_damage_of_a_drained_page_are_run(view, database):
    view.root["count"] = 0
    view.root["other"] = PersistentMapping()
    view.commit()
    with running(database):
        view.enqueue(Count(nowutc()))
        view.until(lambda: view.root["count"] == 1)
        (segment,) = filter(None, spool_of(view.connection)._log._register.values())
        page = segment._pages[segment._pages.maxKey()]
        damage(database, page._p_oid, view.root["other"]._p_oid, "cut to a byte")
        view.refresh()
        view.enqueue(Count(nowutc()))
        view.until(lambda: view.root["count"] == 2)
        view.until(lambda: not view.client.getStatus()["spooled"])
    (aside,) = SchedulerModule.getDBInstance(view.connection).aside()
    assert aside.reason == "EOFError"  # there may have been other instructions on it
