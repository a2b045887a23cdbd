"""One thread answers, as long as it gets along; others help where it does not.

Covers `daemon.web.helping_threads`, `daemon.web.request_threads`.
"""

from __future__ import annotations

import threading
from contextlib import closing

import httpx
import pytest

from daemon.config import Web
from daemon.web import helping_threads
from daemon.web.helping_threads import HelpingThreads
from daemon.web.server import WebServer
from tests.waiting import wait_for


class Site:
    """Tells the thread that answers; `/slow` waits until it may go on."""

    def __init__(self):
        self.going_on, self.waiting = threading.Event(), threading.Semaphore(0)

    def __call__(self, environ, start):
        if environ["PATH_INFO"] == "/slow":
            self.waiting.release()
            self.going_on.wait()
        name = threading.current_thread().name.encode()
        start("200 OK", [("Content-Length", str(len(name)))])
        return [name]


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def server(site):
    with closing(WebServer(site, Web(port=0, threads=3))) as server:
        yield server
        site.going_on.set()


def test_requests_that_wait_get_a_thread_each_and_the_others_one_too(site, server):
    def ask_slowly():
        httpx.get(f"{server.url}/slow", timeout=60)

    asking = [threading.Thread(target=ask_slowly) for _ in range(2)]
    for each in asking:
        each.start()
    for _ in asking:
        assert site.waiting.acquire(timeout=60)
    assert httpx.get(server.url, timeout=60).status_code == 200
    site.going_on.set()
    for each in asking:
        each.join()


def test_more_requests_than_threads_are_all_answered(site, server):
    answers = []

    def ask():
        answers.append(httpx.get(f"{server.url}/slow", timeout=60).status_code)

    asking = [threading.Thread(target=ask) for _ in range(6)]
    for each in asking:
        each.start()
    for _ in range(3):
        assert site.waiting.acquire(timeout=60)
    assert not answers
    site.going_on.set()
    wait_for(lambda: answers == [200] * 6)
    for each in asking:
        each.join()


class Task:
    """Notes its thread when *may_end* is set."""

    def __init__(self, ran, may_end):
        self.ran, self.may_end, self.begun = ran, may_end, threading.Event()

    def service(self):
        self.begun.set()
        self.may_end.wait()
        self.ran.append(threading.get_ident())


def test_one_thread_that_gets_along_answers_all(monkeypatch):
    monkeypatch.setattr(helping_threads, "PATIENCE", 3600.0)
    threads, ran, may_end = HelpingThreads(3), [], threading.Event()
    wait_for(lambda: threads.active_count == 0)
    tasks = [Task(ran, may_end) for _ in range(10)]
    threads.add_task(tasks[0])
    assert tasks[0].begun.wait(60)
    for each in tasks[1:]:
        threads.add_task(each)
    assert threads.help()
    may_end.set()
    wait_for(lambda: len(ran) == 10)
    assert len(set(ran)) == 1
    threads.shutdown()
