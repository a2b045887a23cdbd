"""The sample: a database with each stored class, and tasks and changes in each lasting state."""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta

import transaction
from dateutil import rrule
from werkzeug.test import Client as HttpClient

from daemon.console.action_list import actions_of
from daemon.demo.sample import DescribeEvent
from daemon.maintenance import packing
from export.app import make_app
from export.auth.api_keys import key_ring
from export.auth.browser_sessions import sessions
from export.auth.feeds import feeds
from export.auth.tokens import SCOPES, tokens
from export.model.catalogue import catalogue
from export.model.material import Minutes, Paper, Poster, Slides, Video
from export.model.repeated_calls import repeated_calls
from export.people.group import Group, groups
from export.people.roles import Role, roles
from livesync import ActionWrapper, SyncManager
from livesync.agents.cernsearch import CERNSearchUploadAgent
from livesync.agents.folder import FolderAgent
from livesync.agents.invenio import InvenioBatchUploaderAgent
from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.postgres import PostgresAgent
from livesync.agents.webhook import WebhookAgent
from livesync.capture import escapes
from livesync.capture.escapes import Escape
from livesync.delivery.deliverer import Deliverer
from livesync.feed.delivery_waits import token
from livesync.objects import object_index, watched_classes
from livesync.objects.object_index import ObjectIndex
from livesync.objects.watched_class import WatchedClass, name_of
from livesync.records.change_filter import ChangeFilter
from livesync.records.reduction import Record
from livesync.struct import ListMultiPointerTrack, SetMultiPointerTrack
from livesync.tasks import LiveSyncUpdateTask
from scheduler import SchedulerModule
from scheduler.dispatch.declaration import declare, declared_in
from scheduler.inbox.quarantine import quarantine_of
from scheduler.leadership.roster import roster_of
from scheduler.log.append_log import AppendLog
from scheduler.shelves.figures import figures_of
from scheduler.store import read_set, transact
from scheduler.store.pack_hold import holds_of
from scheduler.tasks import (
    AlarmTask,
    Retry,
    SampleOneShotTask,
    SamplePeriodicTask,
    SendMailTask,
)
from tests.export.planting_secrets import MANAGER, ROOM_USER, plant_secrets, schedule_a_room
from tests.layout import application
from tests.layout.application import (
    Announce,
    Beat,
    Colour,
    Hourly,
    IShelfFossil,
    Lecture,
    Note,
    Patrol,
    Shelf,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

SECRET = "a token of the sample"


class Sample:
    """Plants the sample through *relay*, a fresh database with a clock that stands still."""

    def __init__(self, relay, folder):
        self.relay = relay
        self.connection = relay.connection
        self.client = relay.client
        self._folder = folder

    def plant(self):
        """Plant all of it."""
        self.relay.clock.now = NOW
        for step in (
            *(self._catalogue, self._ended_tasks, self._waiting_tasks, self._feed),
            *(self._schedule, self._records_of_the_leader, self._watched, self._declared),
            *(self._running_tasks, self._spooled_tasks),
        ):
            step()
            transaction.commit()

    # The catalogue

    def _catalogue(self):
        plant_secrets(self.connection)
        event = catalogue(self.connection).event("137346")
        for number, kind in enumerate((Minutes, Paper, Poster, Slides, Video)):
            event.add_material(kind(str(number), kind.__name__))
        everybody = groups(self.connection).add(Group("all", "Everybody"))
        everybody.add(MANAGER)
        event.grant_access(everybody)
        key_ring(self.connection).create(MANAGER, key="a key of the sample")
        found = tokens(self.connection)
        self.tokens = {user: found.create(user, "sample", SCOPES)[1] for user in CALLERS}
        feeds(self.connection).create(MANAGER, "/export/categ/2.ics")
        sessions(self.connection).begin(MANAGER, "stamp")
        roles(self.connection).give(MANAGER, Role.ADMIN)
        actions_of(self.connection).note(MANAGER, "retry", "task 41 is retried")
        transaction.commit()

    # Tasks

    def _ended_tasks(self):
        failing = self.client.call(application.fail)
        failing.maxTries = 1
        self.client.call(application.long_text)
        self.client.call(operator.add, 1, 2)
        application.note_alone.enqueue("alone")
        application.note_and_await.enqueue()
        self.client.enqueue(SampleOneShotTask(NOW))
        self.client.enqueue(SamplePeriodicTask(rrule.HOURLY, count=1))
        self.client.enqueue(Note(NOW - HOUR, "too late", expiryDate=NOW - HOUR / 2))
        self.client.enqueueChain(Note(NOW, "step 1"), Note(NOW, "step 2"))
        self.client.enqueueGroup([Note(NOW, "member 1"), Note(NOW, "member 2")], Note(NOW, "then"))
        self.client.enqueue(Beat(60, start=NOW))
        self.client.enqueue(DescribeEvent(NOW))
        firing = Beat(3600, start=NOW - 24 * HOUR, overlap="allow")
        self.client.enqueue(firing)
        self.relay.run_due()
        self.client.backfill(firing, NOW - 20 * HOUR, NOW - HOUR)
        mail = SendMailTask(NOW)
        mail.setFromAddr("ann@example.org")
        mail.addToAddr("bob@example.org")
        self.client.enqueue(mail)
        self.client.signal("nobody waits for this", {"for": "now"})
        self.relay.run_due()

    def _waiting_tasks(self):
        later = NOW + HOUR
        retried = self.client.call(application.fail)
        retried.maxTries = 2
        self.relay.run_due()
        self.client.limitQueue("narrow", atOnce=1)
        self.client.limitQueue("slow", rate=1, period=3600)
        keyed = Note(NOW, "keyed", queueName="keyed", keyRate=1, keyPeriod=3600)
        keyed.retries = {ValueError: Retry(tries=2)}
        self.client.enqueue(keyed)
        self.relay.run_due()
        for number in range(3):
            self.client.enqueue(Note(later, f"narrow {number}", queueName="narrow"))
            self.client.enqueue(Note(later, f"slow {number}", queueName="slow"))
        application.note_once.enqueueAt(later, "once")
        application.wait_for_approval.enqueue()
        self.client.enqueue(Note(later, "coloured", colour=Colour.RED))
        self.client.enqueue(Patrol(rrule.HOURLY, dtstart=later))
        self.client.enqueue(Hourly("0 * * * *"))
        self.client.enqueue(LiveSyncUpdateTask(rrule.DAILY, dtstart=later))
        lecture = self.connection.root()["lecture"] = Lecture(later)
        self.client.enqueue(Announce(lecture))
        self.client.enqueue(SendMailTask(later))
        alarm = AlarmTask(catalogue(self.connection).event("555"), 1, relative=HOUR)
        self.client.enqueue(alarm)
        paused, cancelled = Note(later, "paused"), Note(later, "cancelled")
        for each in (paused, cancelled):
            self.client.enqueue(each)
        self.client.enqueueChain(
            (Note(later, "first"), Note(later, "undo the first")),
            (Note(later, "second"), Note(later, "undo the second")),
        )
        self.client.enqueueGroup([Note(later, "a"), Note(later, "b")], Note(later, "after both"))
        self.relay.run_due()
        self.client.pauseTask(paused)
        self.client.cancelTask(cancelled)
        self.relay.run_due()
        odd = Note(later, "odd")
        self.connection.add(odd)
        quarantine_of(self.connection).add(odd, "it could not be read")

    def _running_tasks(self):
        self.client.enqueue(Note(NOW, "running"))
        self.client.enqueue(Beat(60, start=NOW, overlap="allow"))
        transaction.commit()
        transact(self.relay.database, self.relay._claim_due)
        transaction.begin()

    def _spooled_tasks(self):
        for number in range(3):
            self.client.enqueue(Note(NOW, f"spooled {number}"))
        self.client.pause()
        self.client.resume()

    # The feed

    def _feed(self):
        manager = SyncManager.getDBInstance(self.connection)
        folder = FolderAgent("folder", "Folder", "", 1, folder=self._folder)
        nowhere = "http://127.0.0.1:9/"
        for agent in (
            folder,
            WebhookAgent("webhook", "Webhook", "", 1, url=nowhere),
            OpenSearchAgent("opensearch", "OpenSearch", "", 1, url=nowhere),
            InvenioBatchUploaderAgent("invenio", "Invenio", "", 1, url=nowhere),
            CERNSearchUploadAgent("cern", "CERN Search", "", 1, url=nowhere, password=SECRET),
            PostgresAgent("postgres", "PostgreSQL", "", 1, dsn="postgresql://127.0.0.1:9/none"),
        ):
            manager.registerNewAgent(agent)
        folder.setActive(True)
        manager.getAgent("webhook").setActive(True)
        manager.getAgent("opensearch").filter = ChangeFilter.of_texts(types="event")
        self._record("137346")
        Deliverer(self.relay.database, "folder").deliver(None)
        Deliverer(self.relay.database, "webhook").deliver(None)
        transaction.begin()
        letters = manager.getAgent("webhook").delivery_state.dead_letters
        letters.put("event", Record(None, "1", 1), "refused", 3, NOW.timestamp(), None)
        manager.exclude(classes=[Lecture])
        self._record("555")
        manager.enqueueAfter(Note(NOW, "after the delivery"), "folder", str(token("folder")))
        transaction.commit()
        holds_of(self.connection).put("export", 1, 3600)
        other = self.connection.root()["track"] = SetMultiPointerTrack()
        for number in range(200):
            other.add(1, f"element {number}")
        listed = self.connection.root()["list track"] = ListMultiPointerTrack()
        listed.add(1, "an element")
        log = self.connection.root()["log"] = AppendLog()
        for number in range(800):
            log.append(("entry", number))
        read_set.SCHEMA.get(self.connection)
        transaction.commit()

    def _record(self, number):
        event, at = catalogue(self.connection).event(number), int(NOW.timestamp())
        for change in ("created", "data_changed"):
            wrapper = ActionWrapper(at, event, {change}, number)
            SyncManager.getDBInstance(self.connection).add(at, wrapper)
        transaction.commit()

    # What else there is

    def _schedule(self):
        app = make_app(self.relay.database, {"base_url": "https://indico.server"})
        schedule_a_room(HttpClient(app), {"Authorization": f"Bearer {self.tokens[ROOM_USER]}"})
        app.close()
        transaction.begin()

    def _records_of_the_leader(self):
        repeated_calls(self.connection).keep("1", "a key", 1, "digest", NOW)
        packing.SCHEMA.get(self.connection)
        roster = roster_of(self.connection)
        roster.enter("stand-by")
        roster.take("leader")
        oid = self.connection.root()._p_oid
        module = SchedulerModule.getDBInstance(self.connection)
        module.conflicts.note("Note", oid, "Lecture", 1, NOW.timestamp())
        for minute in range(3):
            figures_of(self.connection).note(NOW.timestamp() + 60 * minute, [], 7, 0.0)

    def _watched(self):
        watched = WatchedClass.of(Shelf, "tests.layout.application:shelf_number")
        fossil = name_of(IShelfFossil, "the fossil")
        watched_classes.SCHEMA.get(self.connection).put(
            watched._replace(fossil=fossil, address="shelves")
        )
        transaction.commit()
        shelf = self.connection.root()["shelf"] = Shelf("1")
        self.connection.add(shelf)
        index = object_index.SCHEMA.get(self.connection)[watched.name] = ObjectIndex()
        index.put("1", shelf)
        escaped = Escape(1, "ann", "a script", ((7, watched.name),))
        escapes.SCHEMA.get(self.connection).add([escaped], 1)

    def _declared(self):
        declare(self.connection, declared_in([application]))


CALLERS = (MANAGER, ROOM_USER)
ADDRESSES = (
    *("/export/categ/2.json?detail=sessions", "/export/event/137346.json?detail=sessions"),
    *("/export/event/137346/registrants.json", "/export/categ/3.json?detail=contributions"),
    *("/export/timetable/137346.json", "/export/room/CERN/120.json?detail=reservations"),
    *("/export/reservation/CERN.json", "/api/v3/schedule/1"),
)


def answers(database, tokens):
    """Return what the export answers the users with these *tokens*, by user and address."""
    app = make_app(database, {"base_url": "https://indico.server"})
    found = {
        user: {address: _answer(HttpClient(app), address, token) for address in ADDRESSES}
        for user, token in tokens.items()
    }
    app.close()
    return found


def _answer(client, address, token):
    return client.get(address, headers={"Authorization": f"Bearer {token}"}).json
