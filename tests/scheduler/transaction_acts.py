"""Acts: what tasks do to the transaction they are run in, between two changes.

Those of `REFUSED` and `FAILING` fail the run, those of `HONOURED` do not.
"""

from __future__ import annotations

import threading
from contextlib import suppress

import transaction

from scheduler.store import current, open_database, transact, using
from tests.scheduler.sample_tasks import count


def abort():
    transaction.abort()


def abort_by_unit():
    transaction.get().abort()


def abort_by_connection():
    current().transaction_manager.abort()


def begin():
    transaction.begin()


def commit():
    transaction.commit()


def commit_by_unit():
    transaction.get().commit()


def commit_again():
    with suppress(Exception):
        transaction.commit()
    transaction.commit()


def commit_in_a_block():
    with transaction.manager:
        count("in a block")


def commit_in_attempts():
    for attempt in transaction.manager.attempts():
        with attempt:
            count("in attempts")


def commit_in_run():
    transaction.manager.run(lambda: count("in run"))


def abort_from_a_thread():
    in_thread(current().transaction_manager.abort)


def commit_from_a_thread():
    in_thread(current().transaction_manager.commit)


def doom():
    transaction.doom()


def doom_by_unit():
    transaction.get().doom()


def sync():
    current().sync()


def close_connection():
    current().close()


def close_database():
    current().db().close()


def begin_in_explicit_mode():
    transaction.manager.explicit = True
    transaction.begin()


def change_through_a_second_connection():
    current().db().open().root()["second"] = True


def change_through_a_second_database():
    database = open_database(current().db().uri + "?connection_cache_size=100")
    kept.append(database)
    database.open().root()["second"] = True


def free_the_transaction():
    transaction.manager.manager.free(transaction.get())


def replace_the_manager():
    transaction.manager.manager = transaction.TransactionManager()
    count("lost")


def detach_the_connection():
    current().transaction_manager = transaction.TransactionManager()


def abort_the_connection_alone():
    current().abort(transaction.get())


def roll_back_the_neighbours():
    if neighbours:
        neighbours.pop().rollback()
    else:
        transaction.abort()  # it is run again, alone


def fail_to_make_a_savepoint():
    current().root()["cannot be stored"] = lambda: None
    transaction.savepoint()


def pass_over_a_failed_savepoint():
    with suppress(Exception):
        fail_to_make_a_savepoint()


def abort_in_a_hook():
    transaction.get().addBeforeCommitHook(transaction.abort)


def commit_in_a_hook():
    transaction.get().addBeforeCommitHook(transaction.commit)


def doom_in_a_hook():
    transaction.get().addBeforeCommitHook(transaction.doom)


def leave_what_cannot_be_stored():
    current().root()["cannot be stored"] = lambda: None


def fail_to_vote():
    transaction.get().join(DataManager("vote"))


def exit_at_the_vote():
    transaction.get().join(DataManager("vote", SystemExit("at the vote")))


def fail_to_finish_first():
    transaction.get().join(DataManager("finish", place=""))


def fail_to_abort():
    transaction.get().join(DataManager("abort"))
    raise ValueError("it cannot be aborted")


def fail_with_a_hook():
    transaction.get().addBeforeCommitHook(lambda: count("hook of what failed"))
    raise ValueError("its hook is not called")


REFUSED = {
    "must not abort": [
        abort,
        abort_by_unit,
        abort_by_connection,
        begin,
        commit_in_a_block,
        commit_in_attempts,
        commit_in_run,
        sync,
        abort_in_a_hook,
    ],
    "must not commit": [
        commit,
        commit_by_unit,
        commit_again,
        commit_in_a_hook,
        commit_from_a_thread,
    ],
    "must not doom": [doom, doom_by_unit, doom_in_a_hook],
    "must not close the connection": [close_connection],
    "must not close the database": [close_database],
    "through a second connection": [
        change_through_a_second_connection,
        change_through_a_second_database,
    ],
    "must not replace the transaction": [
        abort_from_a_thread,
        free_the_transaction,
        replace_the_manager,
    ],
    "must not take the connection": [detach_the_connection, abort_the_connection_alone],
    "a savepoint of the task failed": [pass_over_a_failed_savepoint],
}
FAILING = {
    "AlreadyInTransaction": [begin_in_explicit_mode],
    "InvalidSavepointRollbackError": [roll_back_the_neighbours],
    "pickle": [fail_to_make_a_savepoint, leave_what_cannot_be_stored],
    "ValueError: vote": [fail_to_vote],
    "SystemExit: at the vote": [exit_at_the_vote],
    "ValueError: finish": [fail_to_finish_first],
    "it cannot be aborted": [fail_to_abort],
    "its hook is not called": [fail_with_a_hook],
}


def roll_back_a_part():
    savepoint = transaction.savepoint()
    count("rolled back")
    savepoint.rollback()


def switch_to_explicit_mode():
    transaction.manager.explicit = True


def detach_the_connection_from_the_manager():
    transaction.manager.unregisterSynch(current())


def leave_another_connection_current():
    using(open_database("memory://").open()).__enter__()


def commit_elsewhere():
    transact(current().db(), lambda connection: connection.root()["other"].update(one=1))


def commit_in_a_thread():
    database = current().db()

    def change():
        connection = database.open()
        connection.root()["other"]["two"] = 2
        transaction.commit()
        connection.close()

    in_thread(change)


def change_in_a_thread_that_commits():
    root = current().root()

    def change():
        root["changed in a thread"] = True
        transaction.commit()

    in_thread(change)


def read_through_a_second_connection():
    connection = current().db().open()
    assert connection.root() is not current().root()
    connection.root().get("count")
    connection.close()


def change_another_database():
    other = open_database("memory://")
    kept.append(other)
    other.open().root()["changed"] = True


def join_a_data_manager():
    transaction.get().join(DataManager())


def join_one_with_savepoints():
    transaction.get().join(DataManagerWithSavepoints())
    transaction.savepoint()


def fail_to_finish_last():
    transaction.get().join(DataManager("finish", place="~~~"))


def hook_before_the_commit():
    transaction.get().addBeforeCommitHook(lambda: count("hook"))


def abort_in_a_hook_after_the_commit():
    transaction.get().addAfterCommitHook(lambda is_in: transaction.abort())


HONOURED = [
    roll_back_a_part,
    switch_to_explicit_mode,
    detach_the_connection_from_the_manager,
    leave_another_connection_current,
    commit_elsewhere,
    commit_in_a_thread,
    change_in_a_thread_that_commits,
    read_through_a_second_connection,
    change_another_database,
    join_a_data_manager,
    join_one_with_savepoints,
    fail_to_finish_last,
    hook_before_the_commit,
    abort_in_a_hook_after_the_commit,
]

neighbours = []
kept = []


def in_thread(work):
    def run():
        with suppress(Exception):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


class DataManager:
    """A data manager without savepoints, which fails at the step that it is told."""

    def __init__(self, fails_at="", error=None, place="~"):
        self.fails_at = fails_at
        self.error = error or ValueError(fails_at)
        self.place = place

    def step(self, name):
        if name == self.fails_at:
            raise self.error

    def sortKey(self):  # noqa: N802 (the data manager API's name)
        return self.place

    def tpc_begin(self, unit):
        self.step("begin")

    def commit(self, unit):
        self.step("commit")

    def tpc_vote(self, unit):
        self.step("vote")

    def tpc_finish(self, unit):
        self.step("finish")

    def tpc_abort(self, unit):
        self.step("tpc_abort")

    def abort(self, unit):
        self.step("abort")


class DataManagerWithSavepoints(DataManager):
    def savepoint(self):
        return self

    def rollback(self):
        pass
