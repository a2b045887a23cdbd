"""Who hears a request answers it; where that takes long, others go on.

Covers `daemon.web.taking_over`, `daemon.web.request_threads`.
"""

from __future__ import annotations

import threading
from contextlib import closing

import httpx
import pytest

from daemon.config import Web
from daemon.web import taking_over
from daemon.web.server import NoConsole, WebServer, front
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


def test_a_request_that_waits_after_quiet_times_leaves_the_others_a_thread(site, server):
    wait_for(lambda: server._threads._loop._is_quiet)
    test_requests_that_wait_get_a_thread_each_and_the_others_one_too(site, server)


def test_who_hears_a_request_answers_it(server, monkeypatch):
    monkeypatch.setattr(taking_over, "PATIENCE", 3600.0)
    with httpx.Client() as client:
        assert len({client.get(server.url).text for _ in range(30)}) == 1


def test_where_as_many_threads_wait_as_may_the_loop_still_hears_of_others(site):
    application = front(site, NoConsole("jinja2"), lambda: "", lambda: "numbers")
    with closing(WebServer(application, Web(port=0, threads=1))) as server:
        asking = threading.Thread(target=httpx.get, args=[f"{server.url}/slow"])
        asking.start()
        assert site.waiting.acquire(timeout=60)
        assert httpx.get(f"{server.url}/health", timeout=60).text == "ok\n"
        site.going_on.set()
        asking.join()
        assert httpx.get(f"{server.url}/other", timeout=60).status_code == 200
