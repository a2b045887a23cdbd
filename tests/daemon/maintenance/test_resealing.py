"""What is encrypted is encrypted anew with a new key, so that the old one may go."""

from __future__ import annotations

from contextlib import closing

import pytest
import transaction
from cryptography.fernet import Fernet

from daemon.cli.main import main
from daemon.maintenance.resealing import reseal_all
from scheduler import TASK_STATUS_RUNNING, Client
from scheduler.store import connect, open_database, transact
from scheduler.store.encryption import FILE_VARIABLE, KEY_VARIABLE
from scheduler.store.sealed_value import opened, sealed
from tests.scheduler.harness import running
from tests.scheduler.sample_waits import charge, wait_for_file
from tests.waiting import DEADLINE, wait_for

CARD = "4111 1111 1111 1111"
RESEAL = ("db", "reseal", "--json")


def new_key():
    return Fernet.generate_key().decode()


@pytest.fixture
def use(monkeypatch):
    """Have these keys from now on."""
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    return lambda *keys: monkeypatch.setenv(KEY_VARIABLE, "\n".join(keys))


@pytest.fixture
def old(use, tmp_path, monkeypatch):
    """The key with which everything is encrypted at first."""
    monkeypatch.setenv("SCHEDULER_DATABASE", f"file://{tmp_path}/relay.fs")
    key = new_key()
    use(key)
    return key


@pytest.fixture
def numbers(old):
    """A task that waits, with the card among its arguments, and an object that has it sealed."""
    with connect() as connection:
        call = charge.enqueue(CARD)
        connection.root()["wallet"] = {"cards": [sealed(CARD)]}
        Client(connection).signal("nobody waits", CARD)
        transaction.commit()
        yield call.getId()


def test_after_it_the_old_key_is_not_needed_any_more(numbers, old, use, capsys):
    new = new_key()
    use(new, old)
    assert main(RESEAL) == 0
    assert '"unreadable": []' in capsys.readouterr().out
    use(new)
    with connect() as connection:
        assert opened(connection.root()["wallet"]["cards"][0]) == CARD
        with running(connection.db(), workers=1):
            task = Client(connection).getTask(numbers)
            assert Client(connection).waitFor(task, DEADLINE)["charged"] == CARD


def test_on_a_database_server_everything_is_encrypted_anew_as_well(old, use, postgres_uri):
    with closing(open_database(postgres_uri)) as database:
        transact(database, lambda connection: connection.root().update(card=[sealed(CARD)]))
        new = new_key()
        use(new, old)
        assert len(reseal_all(database).changed) == 1
        use(new)
        card = transact(database, lambda connection: opened(connection.root()["card"][0]))
    assert card == CARD


def test_a_task_that_runs_is_left_to_itself(old, use, tmp_path, capsys):
    go = tmp_path / "go"
    with connect() as connection:
        call = wait_for_file.enqueue(str(go))
        transaction.commit()
        with running(connection.db(), workers=1):
            wait_for(lambda: transaction.begin() and call.getStatus() == TASK_STATUS_RUNNING)
            use(new_key(), old)
            assert main(("db", "reseal")) == 1
            go.touch()
            Client(connection).waitFor(call, DEADLINE)
    assert f"task {call.getId()} is at work" in capsys.readouterr().out
    assert main(("db", "reseal")) == 0


def test_what_is_encrypted_with_the_first_key_is_left_as_it_is(numbers, capsys):
    assert main(("db", "reseal")) == 0
    assert capsys.readouterr().out == "0 objects are encrypted anew\n"


def test_what_no_key_opens_is_told(numbers, use, capsys):
    use(new_key())
    assert main(("db", "reseal")) == 1
    assert f"object {numbers} cannot be read with these keys" in capsys.readouterr().out


def test_without_a_key_it_is_refused(numbers, monkeypatch, capsys):
    monkeypatch.delenv(KEY_VARIABLE)
    assert main(RESEAL) == 1
    assert FILE_VARIABLE in capsys.readouterr().err
