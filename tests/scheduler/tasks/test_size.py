"""Sizes of arguments and results: what is too large is refused, what is larger still is a blob."""

from __future__ import annotations

import pytest
from persistent.mapping import PersistentMapping
from ZODB.blob import Blob

from scheduler import nowutc
from scheduler.errors import SchedulerConfigurationException, TooLarge
from scheduler.settings import Settings
from scheduler.tasks import OneShotTask
from scheduler.tasks.size import MB, size_of
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Count, count

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


def length_of(data):
    return len(data)


def text_of(size):
    count("made")
    return "x" * size


def blob_of(size):
    blob = Blob()
    with blob.open("w") as file:
        file.write(b"x" * size)
    return blob


def length_of_blob(blob):
    with blob.open() as file:
        return len(file.read())


class Gather(OneShotTask):
    """Keeps what it has gathered in an attribute."""

    data = b""

    def run(self):
        self.data = bytes(2 * MB)


def test_the_counted_size_is_that_of_the_stored_state():
    assert MB <= size_of(b"x" * MB) < MB + 100
    assert size_of([PersistentMapping({1: "x" * MB})]) < 100


def test_arguments_that_are_too_large_are_refused_at_the_caller(view, client):
    with pytest.raises(TooLarge, match=r"the arguments of .*length_of takes .* 16 MB.*Blob"):
        client.call(length_of, bytes(17 * MB))
    assert client.getStatus()["spooled"] == 0


def test_attributes_that_are_too_large_are_refused_at_the_caller(view, client):
    task = Gather(nowutc())
    task.data = [bytes(9 * MB), bytes(9 * MB)]
    with pytest.raises(TooLarge, match="the attribute 'data' of a Gather"):
        client.enqueue(task)


@both_modes
def test_a_result_that_is_too_large_fails_at_once_and_nothing_of_its_run_is_kept(
    view, database, mode
):
    with running(database, multitask_mode=mode, task_max_tries=3, task_max_size=1):
        task = view.client.call(text_of, 2 * MB)
        view.enqueue(Count(nowutc()))
        view.until_counts(failed=1, finished=1)
    (attempt,) = task.getAttempts()
    assert "TooLarge: the result takes more than 1 MB" in attempt.message
    assert "made" not in view.root


def test_a_task_that_has_grown_too_large_fails(view, database):
    task = view.enqueue(Gather(nowutc()))
    with running(database, task_max_size=1):
        view.until_counts(failed=1)
    assert task.data == b""
    assert "the attribute 'data' of a Gather takes more than 1 MB" in task.getAttempts()[0].message


@both_modes
def test_arguments_and_results_within_the_limit_are_kept(view, database, mode):
    with running(database, multitask_mode=mode):
        taken, made = (
            view.client.call(length_of, bytes(15 * MB)),
            view.client.call(text_of, 15 * MB),
        )
        view.commit()
        view.until_counts(finished=2)
    assert taken.getResult() == len(made.getResult()) == 15 * MB


def test_the_limit_of_the_scheduler_goes_for_the_callers(view, database):
    with running(database, task_max_size=1):
        view.until(lambda: view.client.getSpool().max_size == 1)
    with pytest.raises(TooLarge, match="more than 1 MB"):
        view.client.call(length_of, bytes(2 * MB))
    with running(database, task_max_size=0):
        view.until(lambda: view.client.getSpool().max_size == 0)
    view.client.call(length_of, bytes(2 * MB))


@both_modes
def test_a_blob_may_be_of_any_size(view, database, mode):
    blob = view.root["blob"] = blob_of(20 * MB)
    view.commit()
    with running(database, multitask_mode=mode, task_max_size=1):
        taken, made = view.client.call(length_of_blob, blob), view.client.call(blob_of, 20 * MB)
        view.commit()
        view.until_counts(finished=2)
    assert taken.getResult() == length_of_blob(made.getResult()) == 20 * MB


@pytest.mark.parametrize("size", [-1, "16", None])
def test_a_limit_that_is_none_is_refused(size):
    with pytest.raises(SchedulerConfigurationException, match="task_max_size"):
        Settings.of({"task_max_size": size})
