"""A small tree of which everything was recorded, and HTTP targets that answer as they are told."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from livesync import ActionWrapper
from tests.livesync.stand_ins import Category, Conference, Contribution, SubContribution
from tests.serving import serving


@pytest.fixture
def tree(manager, connection, commit):
    root = connection.root()["home"] = Category("0", title="Home")
    event = Conference("1", Category("c", root), title="Talks & <more>\x0b")
    contribution = Contribution("2", event, title="A talk")
    SubContribution("3", contribution, title="A part")
    for obj in (event, contribution, contribution._parts[0]):
        manager.add(100, ActionWrapper(100, obj, ["created"], obj.getUniqueId()))
    manager.add(100, ActionWrapper(100, Conference("9"), ["deleted"], "9"))
    commit()
    return event


@pytest.fixture
def register(manager, commit):
    def register(agent):
        manager.registerNewAgent(agent)
        commit()
        return agent

    return register


class Target(ThreadingHTTPServer):
    """An HTTP server that keeps all requests, and gives the answers that it was told to, then 204.

    An answer is (status, headers, body), or a function of the request's handler.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answers = []
        self.let_go = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def bodies(self):
        return [body for _, _, body in self.requests]

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is part of the tests


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else (204, {}, b"")
        if callable(answer):
            answer(self)
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def target():
    with serving(Target()) as server:
        yield server
        server.let_go.set()
