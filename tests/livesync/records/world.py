"""A catalogue of which some is hidden, and an agent that keeps a replica of the rest."""

from __future__ import annotations

from contextlib import contextmanager

from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from livesync import SyncManager
from livesync.agents.target import TargetAgent
from livesync.delivery.deliverer import UP_TO_DATE, Deliverer
from livesync.records.change_filter import EVERYTHING
from livesync.resync.inventory import everything, fresh

replicas = {}


class Replica:
    """What a target has, and the deletions it was told of what it never had."""

    def __init__(self):
        self.has = {}
        self.known = set()
        self.deleted = []
        self.needless = []


class ReplicaAgent(TargetAgent):
    @contextmanager
    def _sender(self):
        replica = replicas[self._id]

        def send(items):
            for item in items:
                if item.is_deleted:
                    replica.deleted.append(item.obj_id)
                    if item.obj_id not in replica.known:
                        replica.needless.append(item.obj_id)
                    replica.has.pop(item.obj_id, None)
                else:
                    replica.has[item.obj_id] = self.state_of(item.content)
                    replica.known.add(item.obj_id)

        yield send


def is_secret(obj):
    return obj.getTitle().startswith("Secret")


def is_closed(obj):
    return obj.isProtected()


class World:
    """A database with a catalogue, and agents whose targets are replicas."""

    def __init__(self, database, connection):
        self.database = database
        self.connection = connection
        self.manager = SyncManager.getDBInstance()
        self.found = catalogue(connection)
        for name, parent in (("open", None), ("inner", "open"), ("hidden", None), ("x", "hidden")):
            self.found.add_category(Category(name, name), parent and self.found.category(parent))
        self.commit()

    def commit(self):
        self.connection.transaction_manager.commit()

    def add_agent(self, name, wanted=EVERYTHING):
        replicas[name] = Replica()
        agent = ReplicaAgent(name, name, "", 60)
        agent.filter = wanted
        self.manager.registerNewAgent(agent)
        agent.setActive(True)
        self.commit()
        return replicas[name]

    def add_event(self, name, category="open"):
        event = Conference(name, f"Event {name}")
        talk = Contribution("1", "A talk")
        event.addContribution(talk)
        talk.addSubContribution(SubContribution("1", "A part"))
        self.found.add_event(event, self.found.category(category))
        self.commit()
        return event

    def deliver(self, name="a", till=None):
        delivered = Deliverer(self.database, name).deliver(None, till)
        assert delivered.outcome == UP_TO_DATE
        self.connection.sync()

    def records(self):
        for _, objects in everything(self.connection, ""):
            yield from fresh(self.manager, objects, None)

    def seen(self):
        return {obj_id for _, obj_id, _ in self.records()}

    def export(self, name):
        """Return what a full export would bring to the agent's target."""
        agent = self.manager.getAgent(name)
        records = filter(agent.may_send, self.records())
        return {record[1]: agent.prepared(record) for record in records}
