"""Calls of functions go by the function's name, wherever tasks are shown or chosen.

Covers `scheduler.tasks.naming`, `scheduler.values.shown`, `daemon.views.task_rows`.
"""

from __future__ import annotations

import json
import logging

import pytest
import transaction

from daemon.cli.main import main
from daemon.views.task_rows import dead_letters
from scheduler import TASK_STATUS_FAILED, SchedulerModule
from scheduler.store import open_database, using
from scheduler.tasks import name_of
from scheduler.tasks.naming import title_of
from scheduler.testing import Relay, StandingClock
from scheduler.values.shown import shown
from tests.console import page_of
from tests.scheduler import sample_declared as declared
from tests.scheduler.sample_functions import Order, send

BAD = "tests.scheduler.sample_declared.bad"


class Secretive:
    """Its text gives something away."""

    def __repr__(self):
        return "Secretive(api_key='hush', user='ann')"


class Site:
    """A database in which calls have ended in all ways, and commands on it."""

    def __init__(self, folder):
        self.uri = f"file://{folder}/data.fs"
        database = open_database(self.uri)
        try:
            connection = database.open()
            with using(connection):
                self._plant(Relay(database, connection, StandingClock()))
            transaction.abort()
            connection.close()
        finally:
            database.close()

    def _plant(self, relay):
        order = relay.connection.root()["order"] = Order(7)
        account = relay.connection.root()["account"] = declared.Account()
        calls = {
            "bad": declared.bad.enqueue(3),
            "object": declared.bad.enqueue(account),
            "log in": declared.log_in.enqueue("ann", "hush", token="hush"),
            "sent": relay.client.call(send, order, copies=2),
            "method": relay.client.call(order.ship, "mail"),
        }
        transaction.commit()
        relay.run_due()
        calls["waiting"] = declared.send.enqueueIn(3600, "ann@example.org")
        transaction.commit()
        relay.run_due()
        calls["spooled"] = declared.bare.enqueue(1)
        transaction.commit()
        self.numbers = {name: call.getId() for name, call in calls.items()}
        self.account = account._p_oid
        self.order = int.from_bytes(order._p_oid)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def command(site, capsys):
    def run(*arguments):
        capsys.readouterr()
        assert main([*arguments, "--database", site.uri]) == 0
        output = capsys.readouterr().out
        assert "CallTask" not in output
        assert "hush" not in output
        return json.loads(output) if "--json" in arguments else output

    return run


def test_lists_show_functions_with_their_arguments(command, site):
    text = command("show", "tasks")
    for expected in (
        f"{BAD}(3)",
        f"{BAD}(<Account {int.from_bytes(site.account)}>)",
        "tests.scheduler.sample_declared.log_in('ann', ***, token=***)",
        "sample_functions.send(<Order ",
        "copies=2)",
        "tests.scheduler.sample_functions.Order.ship(<Order ",
        "tests.scheduler.sample_declared.send('ann@example.org')",
        "tests.scheduler.sample_declared.bare(1)",
    ):
        assert expected in text
    assert f"{BAD}(3)" in command("show", "failed")


def test_json_has_name_and_arguments_apart(command, site):
    rows = {row["id"]: row for row in command("show", "tasks", "--json")}
    row = rows[site.numbers["bad"]]
    assert (row["class"], row["arguments"]) == (BAD, "3")
    facts = command("show", "task", str(site.numbers["bad"]), "--json")
    assert (facts["class"], facts["arguments"]) == (BAD, "3")


@pytest.mark.parametrize("option", ["--class", "--name"])
@pytest.mark.parametrize("name", [BAD, "bad", BAD.replace(".bad", ":bad")])
def test_lists_are_chosen_by_the_functions_name(command, site, option, name):
    for view in ("failed", "tasks"):
        rows = command("show", view, option, name, "--json")
        assert {row["id"] for row in rows} == {site.numbers["bad"], site.numbers["object"]}


def test_the_page_shows_functions_with_their_arguments(site):
    database = open_database(site.uri)
    try:
        page = page_of(database)
    finally:
        database.close()
    assert f"{BAD}(3)" in page
    assert "sample_declared.send(&#39;ann@example.org&#39;)" in page
    assert "CallTask" not in page
    assert "hush" not in page


def test_the_spool_shows_functions(command):
    assert "[tests.scheduler.sample_declared.bare:" in command("show", "spool")


def test_blame_names_the_function(command, site):
    facts = command("blame", str(site.numbers["sent"]), "--json")
    assert facts["class"] == "tests.scheduler.sample_functions.send"
    assert facts["arguments"].endswith("copies=2")
    by = {each["class"]: each for each in command("blame", str(site.order), "--json")["by"]}
    assert "<Order " in by["tests.scheduler.sample_functions.Order.ship"]["arguments"]


def test_failed_calls_are_started_again_by_the_functions_name(tmp_path, capsys):
    site = Site(tmp_path)
    assert main(["cmd", "retry", "--all", "--class", BAD, "--json", "--database", site.uri]) == 0
    started = json.loads(capsys.readouterr().out)["tasks"]
    assert set(started) == {site.numbers["bad"], site.numbers["object"]}


def test_log_lines_and_loggers_name_the_function(relay, caplog):
    caplog.set_level(logging.INFO)
    call = declared.bad.enqueue(3)
    relay.run_due()
    assert f"task {call.getId()} ({BAD}(3)) failed on try 1 of 1, for good" in caplog.text
    assert call.getLogger().name == f"task.{BAD}"
    assert repr(call) == f"[{BAD}:{call.getId()}|FA]"


def test_an_attempt_keeps_the_version_of_the_functions_package(relay, monkeypatch):
    monkeypatch.setattr("scheduler.runtime.code_version._version_of", lambda name: f"{name} 1")
    call = declared.bare.enqueue(3)
    relay.run_due()
    assert call.getAttempts()[0].version == "tests 1"


def test_a_call_whose_arguments_cannot_be_read_goes_by_its_function(relay, monkeypatch):
    call = declared.bad.enqueue(Odd())
    transaction.commit()
    monkeypatch.setattr(Odd, "__setstate__", Odd.refuse, raising=False)
    relay.connection.cacheMinimize()
    assert call._p_changed is None
    assert name_of(call) == BAD
    assert title_of(call) == f"{BAD}(...)"
    relay.run_due()
    (row,) = dead_letters(SchedulerModule.getDBInstance(relay.connection))
    assert row.kind == BAD


class Odd:
    """A value whose state is refused, once that is switched on."""

    def __init__(self):
        self.state = 1

    def refuse(self, state):
        raise ValueError("not this state")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ({"password": "hush", "user": "ann"}, "{'password': ***, 'user': 'ann'}"),
        ("smtp://ann:hush-hush-hush-hush-hush-hush-hush@" + "h" * 60, "***"),
        (Secretive(), "Secretive(api_key=***, user='ann')"),
        (object(), "<object>"),
        (b"x" * 1000, "..."),
        ("a\nb\x1b[31m\u202e", r"'a\nb\x1b[31m\u202e'"),
        (declared.Account(), "<Account>"),
        ([declared.Account(), {"a": object()}], "[<Account>, {'a': <object>}]"),
    ],
)
def test_a_value_is_shown_short_and_without_secrets(value, text):
    found = shown(value)
    assert text in found
    assert "hush" not in found
    assert "\n" not in found
    assert len(found) < 130


def test_a_value_without_a_text_is_shown_by_its_class():
    class Failing:
        def __repr__(self):
            raise SystemError("no")

    assert shown(Failing()) == "<Failing that cannot be shown>"
    assert "cannot be shown" in shown([Failing()])


def test_states_of_calls_are_those_of_tasks(relay):
    call = declared.bad.enqueue(3)
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_FAILED
