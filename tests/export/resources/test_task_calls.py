"""Calls over HTTP: arguments are checked, keys recognized, tasks looked at, and waited for.

Covers `export.answers.patience`, `export.model.repeated_calls` and `scheduler.tasks.http_call`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

import pytest
from cryptography.fernet import Fernet
from werkzeug.test import Client as HttpClient

from export.app import make_app
from export.auth.tokens import tokens
from export.model.repeated_calls import repeated_calls
from scheduler import Client, task
from scheduler.store import open_database, transact
from scheduler.store.encryption import KEY_VARIABLE
from tests.scheduler.harness import running


class Kind(Enum):
    PAPER = "paper"


@dataclass
class Article:
    name: str
    price: float = 1.0


@task(http=True)
def bill(articles: list[Article], due: date | None = None, kind: Kind = Kind.PAPER) -> object:
    assert all(isinstance(each, Article) for each in articles)
    return {"sum": sum(each.price for each in articles), "due": due, "kind": kind}


@task(http=True, maxTries=1)
def fail(password: str) -> None:
    raise ValueError(f"password={password}")


@task
def undeclared(number: int) -> None:
    """Do nothing."""


@pytest.fixture
def database(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")
    yield database
    database.close()


@pytest.fixture
def app(database):
    app = make_app(database, {"base_url": "https://indico.server"})
    yield app
    app.close()


@pytest.fixture
def api(app, database):
    return Api(app, database, "7", "tasks")


class Api:
    """A caller of a user, with a token of some scope."""

    def __init__(self, app, database, user, scope):
        def plant(connection):
            return tokens(connection).create(user, f"{user} {scope}", [scope])[1]

        self._client = HttpClient(app)
        self._headers = {"Authorization": f"Bearer {transact(database, plant)}"}

    def post(self, name, body, **headers):
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        return self._client.post(
            f"/api/tasks/{name}", json=body, headers={**self._headers, **headers}
        )

    def get(self, address, **headers):
        return self._client.get(address, headers={**self._headers, **headers})


BILL = f"{__name__}.bill"
TEA = {"articles": [{"name": "tea", "price": 2.5}, {"name": "cup"}], "due": "2030-01-31"}


def spooled(database):
    return transact(database, lambda own: len(Client(own).getSpool()))


def test_a_call_is_enqueued_and_its_result_waited_for(api, database):
    answer = api.post(BILL, TEA)
    assert (answer.status_code, answer.json["state"]) == (202, "spooled")
    assert answer.headers["Location"] == answer.json["address"]
    with running(database):
        found = api.get(answer.json["address"], Prefer="respond-async, wait=10")
    assert (found.status_code, found.json["state"]) == (200, "finished")
    assert found.json["result"] == {"sum": 3.5, "due": "2030-01-31", "kind": "paper"}
    assert found.json["function"] == BILL


def test_a_failure_tells_its_message_without_secrets(api, database):
    with running(database):
        found = api.post(f"{__name__}.fail", {"password": "sesame"}, Prefer="wait=10")
    assert (found.status_code, found.json["state"]) == (200, "failed")
    assert "ValueError" in found.json["message"]
    assert "sesame" not in found.text


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "missing required field `articles`"),
        ({"articles": [{"name": 7}]}, "Expected `str`, got `int` - at `$.articles[0].name`"),
        ({**TEA, "due": "soon"}, "Invalid RFC3339"),
        ({**TEA, "kind": "gold"}, "Invalid enum value 'gold'"),
        ({**TEA, "more": 1}, "unknown field `more`"),
        ([], "The body is not a JSON object"),
    ],
)
def test_arguments_that_are_not_of_its_types_enqueue_nothing(api, database, body, told):
    answer = api.post(BILL, body, Accept="application/problem+json")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert told in answer.json["detail"]
    assert spooled(database) == 0


def test_a_function_that_is_not_declared_so_is_not_there(api, database):
    for name in (f"{__name__}.undeclared", "os.system", "1"):
        assert api.post(name, {"number": 1}).status_code == 404
    assert spooled(database) == 0


def test_a_repeated_call_is_recognized_by_its_key(api, database):
    first, again = (api.post(BILL, TEA, Idempotency_Key="order 17") for _ in range(2))
    assert first.json["id"] == again.json["id"]
    assert api.post(BILL, {"articles": []}, Idempotency_Key="order 17").status_code == 409
    assert spooled(database) == 1
    assert api.post(BILL, TEA).json["id"] != first.json["id"]


def test_a_repeated_call_is_recognized_when_the_secret_key_is_another(api, database, monkeypatch):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    numbers = set()
    for keys in ("", old, f"{new} {old}"):
        monkeypatch.setenv(KEY_VARIABLE, keys)
        numbers.add(api.post(BILL, TEA, Idempotency_Key="order 17").json["id"])
    assert len(numbers) == 1


def test_with_a_secret_key_the_digest_of_a_call_does_not_tell_its_arguments(
    api, database, monkeypatch
):
    monkeypatch.setenv(KEY_VARIABLE, Fernet.generate_key().decode())
    api.post(BILL, TEA, Idempotency_Key="order 17")
    plain = hashlib.sha256(json.dumps([BILL.rpartition("/")[2], TEA], sort_keys=True).encode())
    _, digest = transact(
        database, lambda connection: repeated_calls(connection).find("7", "order 17")
    )
    assert digest != plain.hexdigest()


def test_keys_are_forgotten_after_a_day(database):
    now = datetime(2026, 11, 30, tzinfo=UTC)

    def work(connection):
        calls = repeated_calls(connection)
        calls.keep("7", "old", 1, "digest", now)
        calls.keep("7", "new", 2, "digest", now + timedelta(days=2))
        return calls.find("7", "old"), calls.find("7", "new")

    assert transact(database, work) == (None, (2, "digest"))


def test_others_see_nothing_of_a_task(api, app, database):
    address = api.post(BILL, TEA).json["address"]
    assert api.get(address).status_code == 202
    assert Api(app, database, "8", "tasks").get(address).status_code == 404
    assert HttpClient(app).get(address).status_code == 401
    other = Api(app, database, "7", "read:everything")
    assert other.get(address).status_code == 403
    assert other.post(BILL, TEA).status_code == 403


def test_a_task_of_the_application_is_not_there(api, database):
    number = transact(database, lambda own: undeclared.using(own).enqueue(1).getId())
    assert api.get(f"/api/tasks/{number}").status_code == 404


def test_an_argument_without_a_type_is_refused_when_it_is_declared():
    with pytest.raises(TypeError, match="its argument 'number' needs a type"):

        @task(http=True)
        def untyped(number):
            """Do nothing."""
