"""Arguments and results of tasks are encrypted at rest, and shown as such.

Covers `scheduler.store.sealed_value`.
"""

from __future__ import annotations

import importlib
import os

import pytest
import transaction
from cryptography.fernet import Fernet
from persistent.mapping import PersistentMapping

from daemon.views.task_detail import card
from daemon.views.task_rows import rows
from scheduler import TASK_STATUS_FAILED, SchedulerModule
from scheduler.errors import SchedulerConfigurationException, SecretUnreadable
from scheduler.store.encryption import FILE_VARIABLE, KEY_VARIABLE
from scheduler.store.sealed_value import opened, sealed
from scheduler.testing import Relay
from tests.docs.test_documents import blocks
from tests.scheduler.sample_waits import Secretive, approved, charge, charge_once

CARD = "4111 1111 1111 1111"


def new_key():
    return Fernet.generate_key().decode()


@pytest.fixture
def key(monkeypatch):
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, new_key())


def stored(connection, *objects):
    """Return the records of *objects*, and of those that they refer to."""
    return b"".join(
        connection.db().storage.load(obj._p_oid)[0] for obj in (*objects, *kept(*objects))
    )


def kept(*tasks):
    found = (task.__dict__.get("_result") for task in tasks)
    return [each for each in found if hasattr(each, "_p_oid")]


def test_arguments_checkpoint_and_result_are_encrypted(relay: Relay, key):
    order = relay.connection.root()["order"] = PersistentMapping()
    call = charge.enqueue(CARD, copies=2, order=order)
    transaction.commit()
    assert CARD.encode() not in stored(relay.connection, call)
    relay.run_due()
    call._p_activate()
    assert CARD.encode() not in stored(relay.connection, call)
    assert call.getResult() == {"charged": CARD, "copies": 2, "order": order}
    assert call.getResult()["order"] is order


def test_they_are_shown_as_encrypted(relay: Relay, key, monkeypatch):
    call = charge.enqueue(CARD)
    relay.run_due()
    monkeypatch.delenv(KEY_VARIABLE)
    facts = card(relay.connection, call.getId())
    assert (facts["arguments"], facts["result"]) == ("encrypted", "encrypted")
    assert CARD not in repr(facts)
    (row,) = rows(SchedulerModule.getDBInstance(relay.connection))
    assert row.title == "tests.scheduler.sample_waits.charge(encrypted)"


def test_the_unique_key_of_a_call_does_not_tell_its_arguments(relay: Relay, key):
    call = charge_once.enqueueIn(60, CARD)
    assert CARD not in call.uniqueKey()
    assert call.uniqueKey() == charge_once.enqueueIn(60, CARD).uniqueKey()


def test_a_class_encrypts_its_result_and_what_it_seals(relay: Relay, key):
    task = Secretive(CARD)
    relay.enqueue(task)
    relay.run_due()
    task._p_activate()
    assert CARD.encode() not in stored(relay.connection, task)
    assert task.getResult() == CARD


def test_keys_are_replaced_by_new_ones_before_them(relay: Relay, key, monkeypatch):
    call = charge.enqueue(CARD)
    transaction.commit()
    old = os.environ[KEY_VARIABLE]
    monkeypatch.setenv(KEY_VARIABLE, f"{new_key()}\n{old}")
    relay.run_due()
    monkeypatch.setenv(KEY_VARIABLE, os.environ[KEY_VARIABLE].split()[0])
    assert call.getResult()["charged"] == CARD  # encrypted with the new one


def test_without_a_key_nothing_is_enqueued_in_clear(relay: Relay, monkeypatch):
    for variable in (KEY_VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SchedulerConfigurationException, match=FILE_VARIABLE):
        charge.enqueue(CARD)


def test_a_worker_without_the_key_fails_the_task(relay: Relay, key, monkeypatch):
    call = charge.enqueue(CARD)
    call.maxTries = 1
    transaction.commit()
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_FAILED
    assert SecretUnreadable.__name__ in call.getAttempts()[-1].message


def test_what_is_not_sealed_is_opened_as_it_is(key):
    assert opened("plain") == "plain"
    assert repr(sealed("secret")) == "<encrypted>"


def test_the_tasks_of_the_document_keep_their_arguments_private(
    relay: Relay, key, tmp_path, monkeypatch
):
    (code,) = (code for code in blocks("operations.md", "python") if "sealed" in code)
    (tmp_path / "private_tasks.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    shown = importlib.import_module("private_tasks")
    call, task = shown.charge.enqueue(CARD, 2.5), shown.Charge(CARD)
    relay.enqueue(task)
    assert CARD.encode() not in stored(relay.connection, call, task)
    relay.run_due()
    assert (call.getResult(), task.getResult()) == (f"2.5 from {CARD}", f"charged {CARD}")


def test_the_payload_of_a_signal_is_encrypted_in_the_spool_and_with_its_task(relay: Relay, key):
    call = approved.enqueue()
    relay.run_due()
    relay.client.signal("approval", {"card": CARD})
    relay.client.signal("nobody waits for it", CARD)
    transaction.commit()
    relay.run_due()
    assert call.getResult() == {"card": CARD}
    versions = [record.data for each in relay.database.storage.iterator() for record in each]
    assert CARD.encode() not in b"".join(versions)


def test_the_payload_of_a_signal_is_refused_with_a_key_as_without(relay: Relay, key):
    with pytest.raises(TypeError, match="plain data"):
        relay.client.signal("approved-17", object())
