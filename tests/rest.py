"""Daemons at rest, on each kind of database, with what they may be left with."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg2
from ZODB.FileStorage.FileStorage import FileIterator
from ZODB.utils import p64, u64

from livesync import ActionWrapper, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.agents.webhook import WebhookAgent
from scheduler import Client, SchedulerModule, TaskDelayed, nowutc
from scheduler.leadership.roster import roster_of
from scheduler.store import open_database, transact
from scheduler.tasks import OneShotTask
from tests import postgres
from tests.faults.processes import Daemon, serving
from tests.scheduler.sample_tasks import Noop, Raise
from tests.waiting import DEADLINE, wait_for

SETTLED_SECONDS = 2.0
NOBODY_LISTENS = "http://127.0.0.1:9/"

HOLD = """
import sys
from scheduler.store import open_database
database = open_database(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
database.close()
"""


class Keyed(OneShotTask):
    """Waits in a queue with a limit, and for a key that all of them want."""

    queueName = "narrow"

    def limitKey(self):
        return "the same"

    def run(self):
        time.sleep(3600)


class Rated(OneShotTask):
    queueName = "slow"

    def run(self):
        pass


class Delayed(OneShotTask):
    """Wants to be run again at once, always."""

    def run(self):
        raise TaskDelayed(0)


class Commit(NamedTuple):
    """One transaction of a database."""

    tid: int
    what: str
    size: int


class FilePlace:
    """A database in a file, and the processes that stand beside the daemon for it."""

    def __init__(self, uri, file, process=None):
        self.uri = uri
        self.file = file
        self._process = process

    def processes(self):
        return [] if self._process is None else [psutil.Process(self._process.pid)]

    def newest(self):
        return max((commit.tid for commit in self.since(0)), default=0)

    def since(self, tid):
        """Return the transactions behind *tid*."""
        with closing(FileIterator(str(self.file), p64(tid + 1))) as found:
            return [
                Commit(u64(each.tid), each.description.decode(), each._tend - each._tpos)
                for each in found
            ]


class PostgresPlace:
    """A database of PostgreSQL."""

    def __init__(self, uri, server):
        self.uri = uri
        self._server = server

    def processes(self):
        found = psutil.Process(self._server.get_postmaster_info().pid)
        return [found, *found.children(recursive=True)]

    def newest(self):
        return max((commit.tid for commit in self.since(0)), default=0)

    def since(self, tid):
        """Return the transactions behind *tid*."""
        with closing(psycopg2.connect(self.uri)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT t.tid, t.description, coalesce(sum(o.state_size), 0) FROM transaction t "
                "LEFT JOIN object_state o USING (tid) WHERE t.tid > %s GROUP BY t.tid ORDER BY 1",
                (tid,),
            )
            return [Commit(row[0], bytes(row[1] or b"").decode(), int(row[2])) for row in cursor]

    def snapshots(self):
        """Return what each connection did last that keeps the server from removing old rows."""
        query = """
            SELECT application_name, query FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
            AND coalesce(backend_xmin, backend_xid) IS NOT NULL
        """
        return postgres.query(self.uri, query)


@contextmanager
def daemon_first(folder, port=None, server=None):
    """Give an embedded database that nobody has opened yet."""
    yield FilePlace(f"file://{folder}/data.fs", folder / "data.fs")


@contextmanager
def daemon_joins(folder, port=None, server=None):
    """Give an embedded database that another process has the file of."""
    uri = f"file://{folder}/data.fs"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, uri], **pipes) as process:
        process.stdout.readline()
        try:
            yield FilePlace(uri, folder / "data.fs", process)
        finally:
            process.kill()


@contextmanager
def zeo(folder, port, server=None):
    """Give a database of a ZEO server."""
    with serving(folder / "data.fs", port) as process:
        yield FilePlace(f"zeo://127.0.0.1:{port}?wait_timeout=30", folder / "data.fs", process)


@contextmanager
def on_postgres(folder, port, server):
    """Give a database of the PostgreSQL *server*."""
    with postgres.database(server) as uri:
        yield PostgresPlace(uri, server)


PLACES = {
    "embedded": daemon_first,
    "embedded, joined": daemon_joins,
    "ZEO": zeo,
    "PostgreSQL": on_postgres,
}


class Resting:
    """A daemon of the database at *place*, in one of the SITUATIONS, when all has settled."""

    def __init__(self, folder, place, situation, stack):
        self.place = place
        self.folder = folder
        self._stack = stack
        self.daemons = [self.start(push=situation in PUSHED)]
        with closing(open_database(place.uri)) as database:
            wait_for(lambda: transact(database, _has_workers), DEADLINE)
            SITUATIONS[situation](self, database)

    def start(self, **settings):
        """Start a daemon, in a folder of its own."""
        folder = self.folder / f"daemon-{time.monotonic_ns()}"
        folder.mkdir()
        daemon = Daemon(folder, self.place.uri, task_max_tries=1, **settings)
        self._stack.callback(daemon.close)
        daemon.wait_until_up()
        return daemon

    def settle(self, is_quiet=lambda commit: False):
        """Wait until nothing is committed any more but what *is_quiet* says yes of."""
        deadline = time.monotonic() + DEADLINE
        newest = self.place.newest()
        while True:
            time.sleep(SETTLED_SECONDS)
            found = [each for each in self.place.since(newest) if not is_quiet(each)]
            if not found:
                return
            assert time.monotonic() < deadline, f"it does not come to rest: {found[-5:]}"
            newest = found[-1].tid

    def measure(self, seconds):
        """Return what is committed in so many *seconds*, and the per cent of a core used."""
        newest, before = self.place.newest(), self._seconds()
        began = time.monotonic()
        time.sleep(seconds)
        spent = time.monotonic() - began
        after = self._seconds()
        used = sum(after[process] - before.get(process, 0) for process in after)
        return self.place.since(newest), 100 * used / spent

    def _seconds(self):
        found = self.place.processes()
        for daemon in self.daemons:
            own = psutil.Process(daemon.process.pid)
            found += [own, *own.children(recursive=True)]
        return {(each.pid, each.create_time()): _cpu(each) for each in found}


@contextmanager
def resting(folder, kind, situation, *, port=None, server=None):
    """Give a daemon at rest on a new database of this *kind* in *folder*."""
    with ExitStack() as stack:
        place = stack.enter_context(PLACES[kind](Path(folder), port, server))
        yield Resting(Path(folder), place, situation, stack)


def _cpu(process):
    try:
        return sum(process.cpu_times()[:2])
    except psutil.Error:
        return 0.0


def _nothing(rest, database):
    """Leave the daemon as it starts."""


def _has_run(rest, database):
    _enqueue(database, *(Noop(nowutc()) for _ in range(20)), Raise(nowutc(), ValueError("no")))
    wait_for(lambda: _count(database, "finished") == 20, DEADLINE)


def _standby(rest, database):
    rest.daemons.append(rest.start(standby=True))


def _future(rest, database):
    later = nowutc() + timedelta(hours=1)
    _enqueue(database, *(Noop(later) for _ in range(20)), Keyed(later), Rated(later))


def _limited(rest, database):
    transact(database, lambda own: Client(own).limitQueue("narrow", atOnce=1))
    transact(database, lambda own: Client(own).limitQueue("slow", rate=1, period=3600))
    _enqueue(database, *(Keyed(nowutc()) for _ in range(5)), *(Rated(nowutc()) for _ in range(5)))
    wait_for(lambda: _waiting(database) == {"narrow": 4, "slow": 4}, DEADLINE)


def _paused(rest, database):
    transact(database, lambda own: Client(own).pause())
    _enqueue(database, *(Noop(nowutc()) for _ in range(20)), Rated(nowutc()))
    wait_for(lambda: _count(database, "waiting") == 21, DEADLINE)


def _delayed(rest, database):
    _enqueue(database, Delayed(nowutc()))


def _following(rest, database):
    _register(database, FolderAgent("a", "", "", 1, folder=rest.folder / "feed"))
    change(database)
    wait_for(lambda: list((rest.folder / "feed").glob("*.json")), DEADLINE)


def _agent_paused(rest, database):
    _register(database, FolderAgent("a", "", "", 1, folder=rest.folder / "feed"), paused=True)
    change(database)
    wait_for(lambda: transact(database, _pending) == 0, DEADLINE)


def _agent_failing(rest, database):
    _register(database, WebhookAgent("a", "", "", 1, url=NOBODY_LISTENS))
    change(database)
    wait_for(lambda: transact(database, _failures) >= 2, DEADLINE)


def _all_of_it(rest, database):
    for leave in (_has_run, _limited, _future, _following):
        leave(rest, database)
    _register(database, FolderAgent("b", "", "", 1, folder=rest.folder / "b"), paused=True)


SITUATIONS = {
    "never given a task": _nothing,
    "tasks have run": _has_run,
    "with a stand-by": _standby,
    "future tasks wait": _future,
    "queues at their limits": _limited,
    "paused scheduler": _paused,
    "TaskDelayed(0)": _delayed,
    "agent follows": _following,
    "agent paused": _agent_paused,
    "agent's target is down": _agent_failing,
    "all of it": _all_of_it,
}
PUSHED = {"agent follows", "agent paused", "agent's target is down", "all of it"}


def _enqueue(database, *tasks):
    transact(database, lambda own: Client(own).enqueueAll(tasks))


def _count(database, name):
    return transact(database, lambda own: SchedulerModule.getDBInstance(own).getStatus()[name])


def _waiting(database):
    queues = transact(database, lambda own: Client(own).getQueues())
    return {name: queues[name]["waiting"] for name in queues}


def _has_workers(connection):
    workers = roster_of(connection).workers
    return workers and not any(post.state for post in workers)


def _pending(connection):
    return SyncManager.getDBInstance(connection).pending()


def _failures(connection):
    return SyncManager.getDBInstance(connection).getAgent("a").delivery_state.failures


def _register(database, agent, *, paused=False):
    def register(connection):
        SyncManager.getDBInstance(connection).registerNewAgent(agent)
        agent.setActive(True)
        agent.delivery_state.paused = paused

    transact(database, register)


def change(database):
    """Record a change, of something that is gone."""

    def add(connection):
        manager = SyncManager.getDBInstance(connection)
        now = int(time.time())
        manager.add(now, ActionWrapper(now, manager, {"deleted"}, "1"))

    transact(database, add)
