"""Noting that somebody has paid, or is there (reference 5.3.5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from export.model.registration import SocialEvent
from tests.export.planting import change, get
from tests.export.planting_rooms import key_of
from tests.export.resources.test_registrants import ZEROS, register

PATH = "/api/event/137346/registrant/0"
RESTRICTED = (403, "Access to this resource is restricted.")


@pytest.fixture
def post(planted, database, stopped_clock):
    """Post with the key of a registrar; the registrant has 4 francs to pay."""

    def owe(event):
        register(event)
        event.registration.find("0").social_events = (SocialEvent("1", "Dinner", 2, 2, "CHF"),)

    change(database, owe)
    ann = key_of(database, "ann")

    def post(address, **fields):
        answer = planted.post(address, data={"ak": ann, **fields})
        if answer.status_code == 200:
            return answer.json
        return answer.status_code, answer.json["message"]

    return post


def shown(planted, database):
    return get(planted, f"/export/event/137346/registrant/0.json?ak={key_of(database, 'ann')}")


def test_paying_answers_as_documented(post, planted, database):
    answer = post(f"{PATH}/pay.json", is_paid="yes")
    assert answer["results"] == {"paid": True, "amount_paid": 4.0}
    assert answer["count"] == 2
    assert shown(planted, database)["paid"] is True

    def payment(event):
        kept = event.registration.find("0").payment
        assert (kept.amount, kept.currency) == (4, "CHF")
        assert kept.noted_at == datetime(2014, 3, 24, 22, 30, tzinfo=UTC)

    change(database, payment)
    assert post(f"{PATH}/pay.json", is_paid="no")["results"]["paid"] is False
    assert post(f"{PATH}/pay.json", is_paid="yes")["results"]["paid"] is True
    assert post(f"{PATH}/pay.json")["results"]["paid"] is False
    assert shown(planted, database)["paid"] is False


def test_nothing_is_paid_where_nothing_can_be(post, database):
    change(database, lambda event: setattr(event.registration, "payment", False))
    assert post(f"{PATH}/pay.json", is_paid="yes") == (400, "E-payment is not enabled")


def test_checking_in_answers_as_documented(post, planted, database):
    answer = post(f"{PATH}/checkin.json", secret=ZEROS, checked_in="yes")
    assert answer["results"] == {"checked_in": True, "checkin_date": "24/03/2014 23:30"}
    assert answer["count"] == 2
    assert shown(planted, database)["checkin_date"] == "24/03/2014 23:30"
    answer = post(f"{PATH}/checkin.json", secret=ZEROS, checked_in="no")
    assert answer["results"] == {"checked_in": False, "checkin_date": None}
    assert shown(planted, database)["checked_in"] is False


def test_checking_in_needs_the_secret_of_the_ticket(post):
    for secret in ({}, {"secret": ""}, {"secret": ZEROS.replace("0", "1")}, {"secret": "é"}):
        assert post(f"{PATH}/checkin.json", checked_in="yes", **secret) == RESTRICTED


def test_only_registrars_note_anything(post, database):
    for what, fields in (("pay", {}), ("checkin", {"secret": ZEROS})):
        assert post(f"{PATH}/{what}.json", ak="", **fields) == RESTRICTED
        assert post(f"{PATH}/{what}.json", ak=key_of(database, "bob"), **fields) == RESTRICTED


def test_nothing_is_noted_of_who_is_not_there(post):
    nobody = (404, "There is no registrant 7")
    assert post(PATH.replace("/0", "/7") + "/pay.json", is_paid="yes") == nobody
    assert post("/api/event/1/registrant/0/pay.json") == (404, "There is no event 1")


def test_xml_is_answered_as_well(planted, post, database):
    form = {"ak": key_of(database, "ann"), "is_paid": "yes"}
    assert "<paid>True</paid>" in planted.post(f"{PATH}/pay.xml", data=form).text
