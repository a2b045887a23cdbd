"""Registrants (reference 5.3.5).

Covers `export.fossils.registration`, `export.model.registration`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from export.auth.api_keys import key_ring
from export.errors import CatalogueException
from export.model.access import Protection
from export.model.registration import (
    PERSONAL_FIELDS,
    Accommodation,
    AccommodationType,
    MiscellaneousInfoGroup,
    MiscellaneousInfoSimpleItem,
    RegistrantSession,
    RegistrationForm,
    SocialEvent,
)
from scheduler.store import transact
from tests.export.planting import assert_holds, change, error, get

PERSONAL = {
    "city": "Geneva",
    "fax": "+41227000000",
    "surname": "Resco Perez",
    "firstName": "Alberto",
    "title": "",
    "country": "CH",
    "email": "xxxxx.xxxxx.xxxxxx@cern.ch",
    "phone": "+41227000001",
    "personalHomepage": "",
    "address": "",
    "position": "",
    "institution": "CERN",
}
ZEROS = "00000000-0000-0000-0000-000000000000"
PATH = "/export/event/137346"


def register(event):
    event.update(registration=RegistrationForm(payment=True, currency="CHF"))
    one = event.registration.register(PERSONAL)
    one.checkin_secret = ZEROS
    one.registered_at = datetime(2014, 3, 27, 11, 20, tzinfo=UTC)
    one.checked_in_at = datetime(2014, 4, 1, 15, 27, tzinfo=UTC)
    event.registration.registrars |= {"ann"}


@pytest.fixture
def ann(planted, database):
    """The key of a registrar of the event."""
    change(database, register)
    return transact(database, lambda connection: key_ring(connection).create("ann").key)


def first(database, work):
    change(database, lambda event: work(event.registration.find("0")))


def test_the_list_is_the_documented_one(planted, ann):
    answer = planted.get(f"{PATH}/registrants.json?ak={ann}").json
    assert answer["count"] == 1
    assert answer["results"] == {
        "registrants": [
            {
                "checkin_secret": ZEROS,
                "checked_in": True,
                "personal_data": PERSONAL,
                "full_name": "Alberto Resco Perez",
                "registrant_id": "0",
            }
        ]
    }


def test_a_registrant_has_the_documented_fields(planted, ann):
    answer = planted.get(f"{PATH}/registrant/0.json?ak={ann}&detail=basic&auth_key=x").json
    assert answer["count"] == 10
    assert answer["results"] == {
        "_type": "Registrant",
        "checked_in": True,
        "amount_paid": 0,
        "registration_date": "27/03/2014 12:20",
        "paid": False,
        "_fossil": "regFormRegistrantBasic",
        "personal_data": PERSONAL,
        "full_name": "Alberto Resco Perez",
        "checkin_date": "01/04/2014 17:27",
        "registrant_id": "0",
    }


def item(number, caption, value, **more):
    return {
        "_type": "MiscellaneousInfoSimpleItem",
        "HTMLName": f"*genfield*0-{number}",
        "caption": caption,
        "price": 0,
        "value": value,
        "currency": "",
        "_fossil": "regFormMiscellaneousInfoSimpleItem",
        "id": number,
        "quantity": 0,
    } | more


def test_the_full_registrant_has_the_documented_fields(planted, database, ann):
    def answer_questions(one):
        one.set_paid(True)
        one.accommodation = Accommodation(date(2014, 4, 2), date(2014, 4, 2))
        one.groups = (
            MiscellaneousInfoGroup(
                "0",
                "Personal Data",
                (
                    MiscellaneousInfoSimpleItem("11", "Personal homepage", ""),
                    MiscellaneousInfoSimpleItem("10", "Email", "alberto.resco.perez@cern.ch"),
                    MiscellaneousInfoSimpleItem("12", "asdas", 1, "4", 1, "CHF"),
                    MiscellaneousInfoSimpleItem("1", "First Name", "Alberto"),
                ),
            ),
        )

    first(database, answer_questions)
    answer = planted.get(f"{PATH}/registrant/0.json?ak={ann}&detail=full").json
    assert answer["count"] == 14
    assert answer["results"] == {
        "_type": "Registrant",
        "checked_in": True,
        "amount_paid": 4,
        "registration_date": "27/03/2014 12:20",
        "reasonParticipation": "",
        "paid": True,
        "_fossil": "regFormRegistrantFull",
        "socialEvents": [],
        "full_name": "Alberto Resco Perez",
        "sessionList": [],
        "checkin_date": "01/04/2014 17:27",
        "registrant_id": "0",
        "accommodation": {
            "_type": "Accommodation",
            "arrivalDate": "02-04-2014",
            "price": 0,
            "departureDate": "02-04-2014",
            "billable": False,
            "_fossil": "regFormAccommodation",
            "accommodationType": None,
        },
        "miscellaneousGroupList": [
            {
                "_fossil": "regFormMiscellaneousInfoGroupFull",
                "_type": "MiscellaneousInfoGroup",
                "id": "0",
                "title": "Personal Data",
                "responseItems": [
                    item("11", "Personal homepage", ""),
                    item("10", "Email", "alberto.resco.perez@cern.ch"),
                    item("12", "asdas", 1, price="4", currency="CHF", quantity=1),
                    item("1", "First Name", "Alberto"),
                ],
            }
        ],
    }


def test_everything_that_costs_is_in_the_total(planted, database, ann):
    def spend(one):
        one.social_events = (SocialEvent("1", "Dinner", 2, "12.25", "CHF"),)
        one.sessions = (RegistrantSession("7"),)
        hotel = AccommodationType("1", "Hotel", price=100, currency="CHF", billable=True)
        one.accommodation = Accommodation(type=hotel, price=100, billable=True)

    first(database, spend)
    shown = get(planted, f"{PATH}/registrant/0.json?ak={ann}&detail=full")
    assert shown["amount_paid"] == 124.5
    assert_holds(
        shown["socialEvents"][0],
        {"_type": "SocialEvent", "_fossil": "regFormSocialEvent", "noPlaces": 2, "price": "12.25"},
    )
    assert shown["sessionList"] == [
        {"_type": "RegistrantSession", "_fossil": "regFormSessionsForm", "id": "7"}
    ]
    assert shown["accommodation"]["arrivalDate"] is None
    assert_holds(
        shown["accommodation"]["accommodationType"],
        {"caption": "Hotel", "_fossil": "regFormAccommodationTypeItem", "cancelled": False},
    )


def test_without_payment_nothing_is_said_about_it(planted, database, ann):
    change(database, lambda event: setattr(event.registration, "payment", False))
    shown = get(planted, f"{PATH}/registrant/0.json?ak={ann}")
    assert (shown["paid"], shown["amount_paid"]) == (None, None)


def test_fields_that_the_form_does_not_ask_for_are_not_shown(planted, database, ann):
    change(database, lambda event: setattr(event.registration, "hidden_fields", frozenset({"fax"})))
    shown = get(planted, f"{PATH}/registrant/0.json?ak={ann}")
    assert set(shown["personal_data"]) == set(PERSONAL_FIELDS) - {"fax"}


def test_registrants_are_for_registrars_and_managers_only(planted, database, ann):
    restricted = (403, "Access to this resource is restricted.")
    bob = transact(database, lambda connection: key_ring(connection).create("bob").key)
    for part in ("registrants", "registrant/0"):
        assert error(planted, f"{PATH}/{part}.json") == restricted
        assert error(planted, f"{PATH}/{part}.json?ak={bob}") == restricted
        assert error(planted, f"{PATH}/{part}.json?ak={ann}&onlypublic=yes") == restricted
    change(database, lambda event: event.grant_modification("bob"))
    assert planted.get(f"{PATH}/registrants.json?ak={bob}").status_code == 200


def test_an_unknown_registrant_is_not_found(planted, database, ann):
    assert error(planted, f"{PATH}/registrant/7.json?ak={ann}") == (404, "There is no registrant 7")
    assert error(planted, "/export/event/1/registrants.json") == (404, "There is no event 1")
    change(database, lambda event: event.setProtection(Protection.RESTRICTED))
    assert error(planted, f"{PATH}/registrants.json") == (404, "There is no event 137346")
    assert error(planted, f"{PATH}/registrant/0.json?ak={ann}&detail=x") == (
        400,
        "Invalid detail level: x",
    )


def test_a_removed_registrants_id_is_not_given_again(planted, database, ann):
    def replace(event):
        event.registration.remove(event.registration.find("0"))
        return event.registration.register({"surname": "Byron"}).id

    change(database, replace)
    answer = get(planted, f"{PATH}/registrants.json?ak={ann}")
    assert [one["registrant_id"] for one in answer["registrants"]] == ["1"]


def test_nobody_can_register_with_answers_that_no_form_asks_for():
    with pytest.raises(CatalogueException, match="shoe"):
        RegistrationForm().register({"shoe": "42"})
