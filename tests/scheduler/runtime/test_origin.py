"""A task bears from which user, request, host and task it was enqueued.

Covers `scheduler.runtime.origin`.
"""

from __future__ import annotations

import socket

import pytest
import transaction
from ZODB.serialize import ObjectWriter

from scheduler import Client, nowutc, task
from scheduler.runtime.origin import enqueued_by, naming_requests
from scheduler.tasks import OneShotTask
from scheduler.testing import Relay


class Parent(OneShotTask):
    def run(self):
        Child(nowutc()).enter()


class Child(OneShotTask):
    def enter(self):
        Client().enqueue(self)
        self._p_jar.root()["child"] = self

    def run(self):
        """Do nothing."""


@task
def greet():
    """Do nothing."""


def enqueued(relay):
    call = greet.enqueue()
    transaction.commit()
    return call.getOrigin()


def test_a_task_bears_its_host(relay: Relay):
    assert enqueued(relay).facts() == {"host": socket.gethostname()}


@pytest.mark.parametrize(
    ("name", "known"),
    [(("anna",), "anna"), (("anna", "/site/acl_users"), "/site/acl_users anna")],
)
def test_a_task_bears_the_user_of_the_transaction(relay: Relay, name, known):
    transaction.get().setUser(*name)
    assert enqueued(relay).user == known


def test_a_block_says_for_whom_it_enqueues(relay: Relay):
    transaction.get().setUser("the service")
    with enqueued_by(user="anna", request="POST /orders"), enqueued_by(request="POST /bills"):
        origin = enqueued(relay)
    assert (origin.user, origin.request) == ("anna", "POST /bills")
    assert enqueued(relay).request == ""


def test_a_request_of_a_wsgi_application_is_noted_without_its_query(relay: Relay):
    found = []

    def application(environ, start_response):
        found.append(enqueued(relay))
        return []

    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/orders",
        "QUERY_STRING": "token=1",
        "REMOTE_USER": "anna",
    }
    naming_requests(application)(environ, None)
    assert (found[0].user, found[0].request) == ("anna", "POST /shop/orders")


def test_a_task_that_an_attempt_enqueues_bears_its_number(relay: Relay):
    parent = Parent(nowutc())
    relay.enqueue(parent)
    relay.run_due()
    assert relay.connection.root()["child"].getOrigin().task == parent.getId()


def test_a_step_of_a_chain_bears_the_number_of_the_one_before(relay: Relay):
    first, second = Child(nowutc()), Child(nowutc())
    with enqueued_by(user="anna"):
        relay.client.enqueueChain(first, second)
    transaction.commit()
    relay.run_due()
    transaction.begin()
    assert first.getOrigin().user == "anna"
    assert second.getOrigin().task == first.getId()


def test_a_task_that_is_enqueued_again_keeps_its_origin(relay: Relay):
    with enqueued_by(user="anna"):
        again = greet.enqueue()
    transaction.commit()
    relay.run_due()
    with enqueued_by(user="bob"):
        relay.enqueue(again)
    assert again.getOrigin().user == "anna"


def test_host_and_parent_take_less_than_60_bytes(relay: Relay):
    child = greet.enqueue()
    transaction.commit()

    def size():
        return len(ObjectWriter(child).serialize(child))

    with_host = size()
    child._origin = (*child._origin, 1 << 40)
    with_both = size()
    del child._origin
    assert with_host < with_both <= size() + 48 + len(socket.gethostname())
    transaction.abort()
