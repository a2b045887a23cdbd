"""A process that has a database open is forked: parent and children each keep what they commit.

Covers `scheduler.storage.access`, `scheduler.storage.descriptors`, `scheduler.store.connection`.
"""

from __future__ import annotations

import pytest
from ZODB.FileStorage import FileIterator

from scheduler.store import connect, open_database
from tests import postgres
from tests.faults.processes import serving
from tests.scheduler.harness import output_of, python
from tests.waiting import DEADLINE

COMMON = """
import multiprocessing, os, sys, time, traceback, transaction
from scheduler.errors import OpenedBeforeFork
from scheduler.store import open_database, transact

uri = sys.argv[1]

def add(name):
    def work(connection):
        root = connection.root()
        root[name] = root.get(name, 0) + 1
    return work

def add_many(database, name, count=20):
    for _ in range(count):
        transact(database, add(name), attempts=1000)

def fork(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid

def ended(*pids):
    return [os.waitpid(pid, 0)[1] for pid in pids]

def counts(database):
    return transact(database, lambda connection: sorted(connection.root().items()))
"""

CHILDREN = """
database = open_database(uri)
transact(database, add("parent"))

def child(name):
    add_many(database, name)
    assert ended(fork(lambda: add_many(database, f"{name}/child"))) == [0]
    add_many(database, name)

pids = [fork(lambda name=name: child(name)) for name in ("a", "b")]
add_many(database, "parent")
assert ended(*pids) == [0, 0]
transact(database, add("parent"))
print(counts(database))
database.close()
"""


@pytest.fixture
def embedded(tmp_path):
    return f"file://{tmp_path}/data.fs"


@pytest.fixture
def joined(embedded):
    """The embedded database, which another process has."""
    database = open_database(embedded)
    yield embedded
    database.close()


@pytest.fixture
def zeo(tmp_path, free_port):
    with serving(tmp_path / "data.fs", free_port):
        uri = f"zeo://127.0.0.1:{free_port}?wait_timeout=20"
        open_database(uri).close()
        yield uri


@pytest.fixture
def postgresql(postgres_server):
    with postgres.database(postgres_server) as uri:
        yield uri


@pytest.fixture(params=["embedded", "joined", "zeo", "postgresql"])
def uri(request):
    return request.getfixturevalue(request.param)


def run(code, uri):
    return output_of(COMMON + code, uri)


def test_commits_of_parent_children_and_their_children_are_all_there(uri):
    expected = [("a", 40), ("a/child", 20), ("b", 40), ("b/child", 20), ("parent", 22)]
    assert run(CHILDREN, uri) == str(expected)
    with connect(uri) as connection:
        assert sorted(connection.root().items()) == expected


def test_the_file_is_whole_after_forks(embedded, tmp_path):
    run(CHILDREN, embedded)
    tids = [each.tid for each in FileIterator(str(tmp_path / "data.fs"))]
    assert len(tids) == 1 + 142
    assert tids == sorted(tids)


DESCRIPTORS = """
database = open_database(uri)
add_many(database, "parent", 3)
connection = database.open()
connection.root()["change"] = 1
transaction.savepoint()

def look():
    kept = {os.readlink(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")[:-1]}
    kept -= {os.readlink(f"/proc/self/fd/{each}") for each in range(3)}
    assert kept <= {"/dev/null", f"/proc/{os.getpid()}/fd"}, kept

assert ended(fork(look)) == [0]
transaction.commit()
"""


def test_a_child_shares_no_file_and_no_socket_with_its_parent(uri):
    run(DESCRIPTORS, uri)


OPEN_CONNECTION = """
database = open_database(uri)
connection = database.open()
root = connection.root()
root["x"] = root["y"] = 1
transaction.commit()
assert (root["x"], root["y"]) == (1, 1)
transact(database, lambda other: other.root().update(x=2))

def child():
    assert root["x"] == 2
    root["y"] = 2
    transaction.commit()
    connection.close()
    database.close()

assert ended(fork(child)) == [0]
transaction.begin()
assert root["y"] == 2
root["y"] = 3
transaction.commit()
print(counts(database))
"""


def test_a_connection_opened_before_a_fork_goes_on_in_both_processes(uri):
    assert run(OPEN_CONNECTION, uri) == "[('x', 2), ('y', 3)]"


IN_A_TRANSACTION = """
from persistent.mapping import PersistentMapping
database = open_database(uri)
connection = database.open()
root = connection.root()
root["other"] = PersistentMapping()
transaction.commit()
root["other"]._p_deactivate()
root["x"] = 1
if "savepoint" in sys.argv:
    transaction.savepoint()
    root["x"] = 2

def child():
    for use in (lambda: root["other"].get("x"), transaction.commit):
        try:
            use()
        except OpenedBeforeFork as error:
            assert "transaction.abort()" in str(error)
        else:
            raise AssertionError
    transaction.abort()
    assert "x" not in root
    root["of the child"] = 1
    transaction.commit()

assert ended(fork(child)) == [0]
try:
    transaction.commit()
except transaction.interfaces.TransientError:
    transaction.abort()  # the child was first
else:
    raise AssertionError
root["x"] = 3
transaction.commit()
print([name for name in sorted(root)], root["x"])
"""


@pytest.mark.parametrize("storage", ["embedded", "postgresql"])
@pytest.mark.parametrize("how", ["", "savepoint"])
def test_a_fork_in_the_middle_of_a_transaction_is_refused_in_the_child_until_it_aborts(
    request, storage, how
):
    code = IN_A_TRANSACTION.replace('"savepoint" in sys.argv', repr(bool(how)))
    found = run(code, request.getfixturevalue(storage))
    assert found.endswith("3")
    assert "'of the child'" in found


PARENT_ENDS = """
database = open_database(uri)
transact(database, add("parent"))
read, write = os.pipe()

def child():
    os.close(write)
    os.read(read, 1)  # until the parent has gone
    add_many(database, "child")
    print(counts(database), flush=True)
    database.close()

fork(child)
if sys.argv[2] == "close":
    database.close()
os._exit(0)
"""


@pytest.mark.parametrize("how", ["close", "vanish"])
def test_a_child_goes_on_when_its_parent_has_ended_first(embedded, how):
    assert output_of(COMMON + PARENT_ENDS, embedded, how) == "[('child', 20), ('parent', 1)]"
    with connect(embedded) as connection:
        assert connection.root()["child"] == 20


IDLE_CHILD = """
database = open_database(uri)
transact(database, add("parent"))
if os.fork() == 0:
    print("idle", flush=True)
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""


def test_a_child_that_does_nothing_does_not_hold_the_file_of_its_parent(embedded):
    with python(COMMON + IDLE_CHILD, embedded, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == "idle\n"
        assert process.wait(DEADLINE) == 0
        with connect(embedded) as connection:
            assert connection.root()["parent"] == 1
        process.stdin.close()


COMMITTING_PARENT = """
import threading
database = open_database(uri)
stop = threading.Event()

def go_on():
    while not stop.is_set():
        transact(database, lambda own: own.root().update(text="x" * 100_000))

thread = threading.Thread(target=go_on)
thread.start()
for number in range(5):
    time.sleep(0.01)
    pid = os.fork()
    if pid == 0:
        sys.exit()  # an ordinary end, with all that is finalized at it
    assert ended(pid) == [0]
stop.set()
thread.join()
print(len(transact(database, lambda own: own.root()["text"])))
database.close()
"""


def test_children_that_are_forked_while_a_thread_commits_write_nothing(embedded, tmp_path):
    assert run(COMMITTING_PARENT, embedded) == "100000"
    assert len(list(FileIterator(str(tmp_path / "data.fs")))) > 1


POOL = """
database = open_database(uri)
transact(database, add("parent"))

def work(number):
    transact(database, add(number % 4), attempts=1000)
    return number

with multiprocessing.get_context("fork").Pool(4) as pool:
    assert pool.map(work, range(40)) == list(range(40))
print([transact(database, lambda own: own.root()[key]) for key in range(4)])
database.close()
"""


def test_a_pool_of_processes_works_on_the_database_of_its_parent(embedded):
    assert run(POOL, embedded) == "[10, 10, 10, 10]"


REFUSED = """
database = open_database(uri)
transact(database, add("parent"))
def child():
    try:
        database.open()
    except OpenedBeforeFork as error:
        print(error, flush=True)
assert ended(fork(child)) == [0]
transact(database, add("parent"))
print(counts(database))
"""


def test_a_database_in_memory_is_refused_in_a_child():
    assert "it is in the memory of that process alone" in run(REFUSED, "memory://")


def test_a_plain_file_storage_is_refused_in_a_child_and_the_remedy_told(tmp_path):
    config = tmp_path / "zodb.conf"
    file = tmp_path / "data.fs"
    config.write_text(f"<zodb>\n<filestorage>\npath {file}\n</filestorage>\n</zodb>\n")
    found = run(REFUSED, f"zconfig://{config}")
    assert "file:///path/data.fs" in found
    assert found.endswith("[('parent', 2)]")
