"""Passwords are masked wherever they stand in a text."""

from __future__ import annotations

import traceback

import pytest

from scheduler.errors import DatabaseUnavailable
from scheduler.store import open_database
from scheduler.tasks.attempt import Attempt, moment
from scheduler.values.masking import hidden


@pytest.mark.parametrize(
    "text",
    [
        "'postgresql://ann:hush@db.example.org/relay' cannot be opened",
        "postgresql://ann:hu@sh/hush@db.example.org:5432/relay?sslmode=require",
        "https://ann:hush@example.org/x",
        "host=db user=ann password=hush dbname=relay",
        "host=db password='hush hush' dbname=relay",
        "postgresql://db/relay?user=ann&password=hush",
        "sslpassword=hush",
        "/export/event/1.ics?ak=hush&signature=hush",
        "APIKEY=hush",
        "zeo://db:8100?username=ann&password=hush",
    ],
)
def test_a_password_is_masked(text):
    assert "hush" not in hidden(text)
    assert "***" in hidden(text)


@pytest.mark.parametrize(
    "text",
    [
        "file:///var/lib/relay.fs",
        "postgresql://ann@db.example.org/relay",
        "mail of ann@example.org: refused",
        "secret=@FILE",
        "task 41 rejected: unique key 'a' is held by task 7",
        "weak=1",
    ],
)
def test_text_without_a_secret_is_told(text):
    assert hidden(text) == text


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ann:hush@127.0.0.1:1/relay",
        "postgres://ann:hush@[broken/relay",
        "nothing://ann:hush@db/relay",
        "zconfig://ann:hush@/nowhere.conf",
        "postgresql://ann:hush%zzhush@127.0.0.1:1/relay",
        "postgresql://ann:it's hush@127.0.0.1:1/relay",
        "postgresql://ann:hu/hush@127.0.0.1:1/relay",
        "postgresql://127.0.0.1:1/relay?password=hush%zzhush",
        "zeo://ann:hush/hush@127.0.0.1:1",
        "zeo://127.0.0.1:1?password=hush&nonsense=1",
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(uri):
    with pytest.raises(DatabaseUnavailable) as refused:
        open_database(uri)
    assert "hush" not in str(refused.value)
    assert "hush" not in "".join(traceback.format_exception(refused.value))


def test_the_record_of_a_failed_run_has_no_password():
    text = "no such host: postgresql://ann:hush@db/relay"
    kept = Attempt(1, moment(0), moment(0), 4, text, f"Traceback\n{text}", log=(text,)).packed()
    assert "hush" not in repr(kept)
