"""The current attempt, as functions and tasks ask it, and the keys of their side effects.

Covers `scheduler.runtime.http`, `scheduler.tasks.current_attempt`.
"""

from __future__ import annotations

from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import NamedTuple

import pytest

from scheduler import TASK_STATUS_ABORTED, TASK_STATUS_FAILED, attempt, nowutc
from scheduler.tasks import CallTask
from tests.scheduler import sample_attempts as sample
from tests.scheduler.harness import running
from tests.serving import serving

both_modes = pytest.mark.parametrize("mode", ["threads", "processes"])


class Request(NamedTuple):
    path: str
    key: str | None
    body: bytes


@pytest.fixture(scope="module")
def listening():
    """A server that keeps the requests that it gets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            server.requests.append(Request(self.path, self.headers["Idempotency-Key"], body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *args):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield server


@pytest.fixture
def server(listening):
    listening.requests = []
    return listening


def keys(server):
    return [request.key for request in server.requests]


def test_a_function_knows_its_attempt(relay):
    call = sample.tell.enqueue()
    relay.run_due()
    assert call.getResult() == {
        "id": call.getId(),
        "number": 1,
        "occurrence": 0,
        "deadline": relay.clock.now + timedelta(seconds=50),
        "inputs": [],
        "is one": True,
    }
    assert "told by" in call.getAttempts()[0].log[0]


def test_coroutines_and_plain_functions_know_their_attempts(relay):
    calls = [sample.tell_later.enqueue(), relay.client.call(sample.tell_plainly)]
    relay.run_due()
    for call in calls:
        assert call.getResult()["id"] == call.getId()
        assert call.getResult()["deadline"] is None


def test_outside_of_an_attempt_a_function_runs_as_well():
    assert not attempt
    assert sample.tell() == {
        "id": None,
        "number": 1,
        "occurrence": 0,
        "deadline": None,
        "inputs": [],
        "is one": False,
    }
    assert attempt.task is None
    attempt.checkCancelled()
    attempt.http.close()
    with pytest.raises(RuntimeError, match="there is no attempt here"):
        attempt.key()


def test_the_number_counts_the_tries(view, database):
    call = sample.third_time.enqueue()
    view.commit()
    with running(database):
        view.until_counts(finished=1)
    assert call.getResult() == 3


def test_a_soft_limit_ends_a_function_that_asks(view, database):
    call = sample.work_for_ever.enqueue()
    view.commit()
    with running(database):
        view.until_counts(failed=1)
    assert call.getStatus() == TASK_STATUS_FAILED
    assert "TaskTimedOut: the run is over its soft limit of 0.2 s" in call.getAttempts()[0].message


def test_a_function_that_asks_is_cancelled_in_a_thread(view, database):
    call = sample.wait_for_the_end.enqueue()
    view.commit()
    with running(database):
        view.until(lambda: view.root.get("begun"))
        view.client.cancelTask(call)
        view.commit()
        view.until_counts(failed=1)
    assert call.getStatus() == TASK_STATUS_ABORTED


@both_modes
def test_a_function_reports_its_progress(view, database, tmp_path, mode):
    call = sample.progress_until.enqueue(str(tmp_path / "go"))
    view.commit()
    with running(database, multitask_mode=mode):
        assert view.until(call.getProgress) == (0.25, "a quarter")
        (tmp_path / "go").touch()
        view.until_counts(finished=1)


def test_a_function_gets_the_inputs_of_its_chain_and_group(relay):
    now = nowutc()
    last, after = CallTask(now, sample.add), CallTask(now, sample.add)
    relay.client.enqueueChain(CallTask(now, sample.one), last)
    relay.client.enqueueGroup([CallTask(now, sample.one) for _ in range(3)], after)
    relay.run_due()
    assert last.getResult() == [1, 10]
    assert after.getResult() == [1, 1, 1, 10]


def test_each_call_of_an_attempt_has_a_key_of_its_own_that_a_retry_repeats(relay, server):
    sample.notify.enqueue(server.url, fails=True)
    relay.run_due()
    first = list(server.requests)
    relay.clock.advance(60)
    relay.run_due()
    assert server.requests == first * 2
    a, b, c, got, own = (request.key for request in first)
    assert len({a, b, c}) == 3
    assert (got, own) == (None, "own")


def test_two_tasks_never_share_a_key(relay, server):
    for _ in range(2):
        sample.notify.enqueue(server.url)
    relay.run_due()
    sent = [request.key for request in server.requests if request.path in ("/a", "/b")]
    assert len(set(filter(None, sent))) == 6


@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_each_occurrence_of_a_recurring_task_has_keys_of_its_own(relay, server, overlap):
    relay.enqueue(sample.Beat(10, server.url, overlap=overlap))
    for _ in range(3):
        relay.run_due()
        relay.clock.advance(10)
    assert len(server.requests) == len(set(keys(server))) == 3


def test_a_task_that_is_run_anew_after_it_has_finished_has_another_key(relay, server):
    task = sample.Notify(nowutc(), server.url)
    for _ in range(2):
        relay.enqueue(task)
        relay.run_due()
    assert len(set(keys(server))) == 2


def test_a_task_that_failed_tells_what_it_sent_and_started_again_keeps_its_key(relay, server):
    call = sample.refused.enqueue(server.url)
    relay.run_due()
    [sent] = call.getAttempts()[0].sent
    assert sent == f"POST {server.url}/refused with key {server.requests[0].key}: 204"
    relay.client.startFailedTask(call)
    relay.run_due()
    assert len(server.requests) == 2
    assert len(set(keys(server))) == 1


def test_the_key_is_stable_for_calls_of_other_libraries(relay):
    call = sample.tell.enqueue()
    before = call.getIdempotencyKey()
    relay.run_due()
    assert call.getIdempotencyKey() == before
    assert before.startswith(f"{call.getId()}-")


def test_the_client_of_an_attempt_is_closed_with_it(relay):
    relay.enqueue(sample.Closing(nowutc()))
    relay.run_due()
    (client,) = sample.Closing.kept
    assert client.is_closed


@both_modes
def test_keys_are_the_same_over_attempts_in_workers(view, database, server, mode):
    sample.notify.enqueue(server.url, fails=True)
    view.commit()
    with running(database, multitask_mode=mode):
        view.until_counts(finished=1)
    sent = [request for request in server.requests if request.path != "/own"]
    assert sent[: len(sent) // 2] == sent[len(sent) // 2 :]
    assert len(server.requests) == 10
