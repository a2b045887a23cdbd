"""Errors are told in the form that the caller asks for."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from export.app import make_app

PROBLEM = {"Accept": "application/problem+json, application/json;q=0.5"}


@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/export/event/1.json?limit=x", 400, "Bad Request"),
        ("/export/nothing", 404, "Not Found"),
        ("/export/user/1.xml", 403, "Forbidden"),
        ("/api/v3/schedule/1", 401, "Unauthorized"),
    ],
)
def test_an_error_is_a_problem_for_who_asks_for_that(database, address, status, title):
    client = Client(make_app(database))
    answer = client.get(address, headers=PROBLEM)
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, answer.json["status"]) == (status, status)
    assert answer.json["title"] == title
    assert answer.json["detail"]
    usual = client.get(address, headers={"Accept": "*/*"})
    assert usual.content_type != "application/problem+json"
    assert usual.status_code == status
