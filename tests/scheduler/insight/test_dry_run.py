"""What a run would do, tried out without doing it.

Covers `scheduler.insight.state_diff`, `scheduler.store.overlay`, `scheduler.runtime.side_effects`.
"""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import transaction

from scheduler import nowutc
from scheduler.insight.dry_run import try_out
from scheduler.insight.state_diff import TEXT_LENGTH
from tests.scheduler.bank import Account, Chain, Deposit, Lottery, Notice, Opening, OwnCommit
from tests.scheduler.sample_tasks import Count
from tests.serving import serving


@pytest.fixture
def server():
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.headers["Idempotency-Key"])
            self.send_response(201)
            self.end_headers()

        def log_message(self, *args):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked
    with serving(server):
        yield server


def url_of(server):
    return f"http://user:secret@127.0.0.1:{server.server_port}/hook"


def tried(relay, task):
    relay.enqueue(task)
    return try_out(relay.database, task.getId())


def test_the_attributes_that_would_change_are_told(relay, ann):
    (change,) = tried(relay, Deposit(ann, 5)).changes
    assert change.kind == "tests.scheduler.bank.Account"
    assert change.differences == [("balance", "100", "105")]


def test_a_change_in_a_large_mapping_is_told_by_its_key(relay, ann):
    relay.connection.root().update({f"key {number}": "text" for number in range(100)})
    (change,) = tried(relay, Count(nowutc())).changes
    assert change.number == 0
    assert change.differences == [("data['count']", None, "1")]


def test_long_texts_are_compared_as_a_whole_and_cut_when_told(relay, ann):
    ann.balance = 10 ** (2 * TEXT_LENGTH)
    (change,) = tried(relay, Deposit(ann, 5)).changes
    (difference,) = change.differences
    assert difference.name == "balance"
    assert len(difference.before) == len(difference.after) == TEXT_LENGTH


def test_nothing_is_changed(relay, ann):
    task = Deposit(ann, 5)
    relay.enqueue(task)
    file = Path(relay.database.storage.getName())
    before = file.read_bytes()
    try_out(relay.database, task.getId())
    assert file.read_bytes() == before
    transaction.begin()
    assert ann.balance == 100


def test_objects_that_would_be_made_are_new(relay, bank):
    changes = tried(relay, Opening(bank, "cyd")).changes
    new = [change for change in changes if change.number is None]
    assert [(change.kind, change.differences) for change in new] == [
        ("tests.scheduler.bank.Account", [("balance", None, "0")])
    ]
    (tree,) = (change for change in changes if change.number is not None)
    assert tree.differences == [("'cyd'", None, "<new Account>")]


def test_tasks_that_would_be_enqueued_are_told(relay, ann):
    found = tried(relay, Chain(ann, 5))
    assert len(found.enqueued) == 1
    assert found.enqueued[0].startswith("Deposit due 20")


def test_a_task_that_commits_by_itself_is_held_in_as_well(relay, ann):
    (change,) = tried(relay, OwnCommit(ann, 5)).changes
    assert change.differences == [("balance", "100", "7")]
    transaction.begin()
    assert ann.balance == 100


def test_a_run_that_fails_changes_nothing_and_the_error_is_told(relay, ann):
    found = tried(relay, Lottery(ann, -1))
    assert isinstance(found.error, ValueError)
    assert found.changes == []


def test_mail_and_http_are_held_back_and_listed(relay, server):
    found = tried(relay, Notice(url_of(server)))
    assert found.held == [
        ("HTTP", f"POST http://127.0.0.1:{server.server_port}/hook"),
        ("mail", "'Your balance' to ann@example.org"),
    ]
    assert found.result == 200
    assert server.asked == []


def test_a_real_run_posts_with_a_key_of_its_own(relay, server):
    task = Notice(url_of(server))
    relay.enqueue(task)
    relay.run_due()
    assert server.asked == [f"{task.getIdempotencyKey()}-1"]
    assert task.getResult() == 201


def test_a_number_that_is_no_task_s_is_refused(relay, ann):
    with pytest.raises(KeyError):
        try_out(relay.database, 1)
    with pytest.raises(KeyError):
        try_out(relay.database, 10**9)


def test_a_dry_run_sees_the_newest_commits(relay, ann):
    task = Deposit(ann, 5)
    relay.enqueue(task)
    ann.balance = 50
    transaction.commit()
    (change,) = try_out(relay.database, task.getId()).changes
    assert change.differences == [("balance", "50", "55")]
    assert isinstance(ann, Account)
