"""Programs at the entrance: registrants by REST, and the addresses of the check-in app.

Covers `export.resources.event_registrants`.
"""

from __future__ import annotations

import pytest

from export.auth.tokens import tokens
from export.model.catalogue import catalogue
from export.model.listeners import subscribe, unsubscribe
from export.model.registration import RegistrationForm
from scheduler.store import transact
from tests.export.planting import change

EVENT = "/api/events/137346/registrants"
APP = "/api/checkin/event/137346"
ALL = f"{APP}/forms/1/registrations"
SECRET = "11111111-2222-4333-8444-555555555555"


def register(event):
    form = RegistrationForm(payment=True, currency="CHF")
    event.update(registration=form)
    form.registrars |= {"ann"}
    one = form.register({"firstName": "Ada", "surname": "Byron", "email": "ada@example.org"})
    one.checkin_secret, one.tags = SECRET, ("vip", "early")
    form.register({"surname": "Late", "email": "late@example.org"}).set_state("pending")


@pytest.fixture
def header(planted, database):
    """What makes the header of a token of a user with some scopes."""
    change(database, register)

    def make(user="ann", *scopes):
        token = transact(
            database,
            lambda connection: tokens(connection).create(
                user, f"app {scopes}", scopes or ("registrants",)
            ),
        )[1]
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
def ann(header):
    """The header of a registrar's token, which opens registrants only."""
    return header()


def test_the_list_is_that_of_the_documented_rest_api(planted, ann):
    first, second = planted.get(EVENT, headers=ann).json["registrants"]
    assert (first["registrant_id"], first["full_name"]) == ("0", "Ada Byron")
    assert (first["checked_in"], first["checkin_secret"]) == (False, SECRET)
    assert first["personal_data"]["email"] == "ada@example.org"
    assert second["full_name"] == "Late"


def test_a_registrant_is_checked_in_and_out(planted, ann, stopped_clock):
    answer = planted.patch(f"{EVENT}/0", json={"checked_in": True}, headers=ann)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    shown = planted.get(f"{EVENT}/0", headers=ann).json
    assert shown == answer.json
    assert shown["checked_in"] is True
    assert shown["checkin_date"] == stopped_clock.now.isoformat()
    assert (shown["event_id"], shown["tags"], shown["paid"]) == (137346, ["early", "vip"], False)
    shown = planted.patch(f"{EVENT}/0", json={"checked_in": False}, headers=ann).json
    assert (shown["checked_in"], shown["checkin_date"]) == (False, "")


@pytest.mark.parametrize(
    ("registrant", "body", "told"),
    [
        ("0", {"checked_in": "yes"}, "checked_in must be true or false"),
        ("0", {"name": "Eve"}, "Invalid fields: name"),
        ("0", [True], "Expected a JSON object"),
        ("1", {"checked_in": True}, "This registration cannot be marked as checked-in"),
    ],
)
def test_what_cannot_be_noted_is_refused(planted, ann, registrant, body, told):
    answer = planted.patch(f"{EVENT}/{registrant}", json=body, headers=ann)
    assert (answer.status_code, answer.json["message"]) == (400, told)
    answer = planted.patch(f"{ALL}/{registrant}", json=body, headers=ann)
    assert (answer.status_code, answer.json["message"]) == (400, told)


def test_a_body_that_is_no_json_is_refused(planted, ann):
    assert planted.patch(f"{EVENT}/0", data=b"{", headers=ann).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        *(EVENT, f"{EVENT}/0", f"{APP}/", f"{APP}/forms/", f"{APP}/forms/1/", f"{ALL}/"),
        *(f"{ALL}/0", f"/api/checkin/ticket/{SECRET}"),
    ],
)
def test_registrants_are_for_registrars_with_the_scope_alone(planted, header, path):
    assert planted.get(path, headers=header()).status_code == 200
    assert planted.get(path, headers=header("ann", "read:everything")).status_code == 200
    assert planted.get(path, headers=header("ann", "read:legacy_api")).status_code == 403
    status = 404 if "ticket" in path else 403
    for answer in (planted.get(path), planted.get(path, headers=header("eve"))):
        assert answer.status_code == status
        assert "Ada" not in answer.text
        assert SECRET not in answer.text


def test_nobody_writes_with_a_scope_for_reading(planted, header):
    reading = header("ann", "read:everything")
    for path in (f"{EVENT}/0", f"{ALL}/0"):
        assert planted.patch(path, json={"checked_in": True}, headers=reading).status_code == 403
        assert planted.patch(path, json={"checked_in": True}).status_code == 403


def test_the_app_goes_from_a_ticket_to_event_and_form(planted, ann):
    found = planted.get(f"/api/checkin/ticket/{SECRET}", headers=ann).json
    assert (found["id"], found["regform_id"], found["event_id"]) == (0, 1, 137346)
    event = planted.get(f"{APP}/", headers=ann).json
    assert (event["id"], event["title"]) == (137346, "Export Test")
    assert event["start_dt"].startswith("2011-06-23T06:00:00+00:00")
    (form,) = planted.get(f"{APP}/forms/", headers=ann).json
    assert form == planted.get(f"{APP}/forms/{found['regform_id']}/", headers=ann).json
    assert (form["registration_count"], form["checked_in_count"]) == (2, 0)
    first, second = planted.get(f"{ALL}/", headers=ann).json
    assert (first["email"], first["state"], first["tags"]) == (
        *("ada@example.org", "complete"),
        ["early", "vip"],
    )
    assert "registration_data" not in first
    assert second["state"] == "pending"
    (section,) = found["registration_data"]
    answers = {field["title"]: field["data"] for field in section["fields"]}
    assert answers["surname"] == "Byron"


def test_the_app_notes_who_is_there_and_has_paid(planted, database, ann):
    shown = planted.patch(f"{ALL}/0", json={"checked_in": True, "paid": True}, headers=ann).json
    assert (shown["checked_in"], shown["is_paid"], shown["state"]) == (True, True, "complete")
    assert planted.get(f"{APP}/forms/1", headers=ann).json["checked_in_count"] == 1
    assert planted.get(f"{APP}/forms/2", headers=ann).status_code == 404
    assert planted.get("/api/checkin/ticket/unknown", headers=ann).status_code == 404


class Heard:
    def __init__(self):
        self.changed = []

    def infoChanged(self, obj):
        self.changed.append(obj.getId())


def test_a_check_in_is_a_change_of_the_event(planted, database, ann):
    heard = Heard()
    subscribe(heard)
    try:
        before = transact(
            database, lambda connection: catalogue(connection).event("137346")._modified
        )
        planted.patch(f"{EVENT}/0", json={"checked_in": True}, headers=ann)
        planted.patch(f"{EVENT}/0", json={}, headers=ann)
    finally:
        unsubscribe(heard)
    assert heard.changed == ["137346"]
    assert before == transact(
        database, lambda connection: catalogue(connection).event("137346")._modified
    )
