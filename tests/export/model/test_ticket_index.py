"""Tickets are found by their secrets, without a look at all who registered."""

from __future__ import annotations

from export.model.catalogue import catalogue, index_tickets
from export.model.conference import Conference
from export.model.registration import RegistrationForm
from export.model.ticket_index import SCHEMA
from scheduler.store import transact

PERSON = {"surname": "Byron"}


def places(database, secret):
    return transact(database, lambda connection: SCHEMA.get(connection).places(secret))


def with_event(database, work):
    return transact(database, lambda connection: work(catalogue(connection).event("1")))


def add_event(connection):
    event = Conference("1", "Spring school")
    event.registration = RegistrationForm()
    early = event.registration.register(PERSON)
    catalogue(connection).add_event(event)
    return early.checkin_secret, event.registration.register(PERSON).checkin_secret


def test_a_ticket_is_found_whether_it_was_made_before_the_event_came_or_after(database):
    early, late = transact(database, add_event)
    assert places(database, early) == (("1", "0"),)
    assert places(database, late) == (("1", "1"),)
    assert places(database, "other") == ()


def test_a_ticket_with_another_secret_is_found_by_that_alone(database):
    early, _ = transact(database, add_event)

    def change(event):
        event.registration.find("0").checkin_secret = "own"

    with_event(database, change)
    assert places(database, early) == ()
    assert places(database, "own") == (("1", "0"),)


def test_the_ticket_of_somebody_who_left_is_not_found(database):
    early, late = transact(database, add_event)
    with_event(database, lambda event: event.registration.remove(event.registration.find("0")))
    assert (places(database, early), places(database, late)) == ((), (("1", "1"),))


def test_the_tickets_of_another_form_and_of_an_event_that_is_gone_are_not_found(database):
    early, late = transact(database, add_event)
    with_event(database, lambda event: event.update(registration=RegistrationForm()))
    assert (places(database, early), places(database, late)) == ((), ())
    third = with_event(database, lambda event: event.registration.register(PERSON).checkin_secret)
    assert places(database, third) == (("1", "0"),)
    transact(database, lambda own: catalogue(own).remove_event(catalogue(own).event("1")))
    assert places(database, third) == ()


def test_a_ticket_that_two_events_have_is_found_in_both(database):
    transact(database, add_event)

    def add_another(connection):
        event = Conference("2", "Copy")
        event.registration = RegistrationForm()
        event.registration.register(PERSON).checkin_secret = "same"
        catalogue(connection).event("1").registration.find("0").checkin_secret = "same"
        catalogue(connection).add_event(event)

    transact(database, add_another)
    assert places(database, "same") == (("1", "0"), ("2", "0"))


def test_tickets_from_before_there_was_an_index_are_put_in_once(database):
    early, late = transact(database, add_event)

    def as_before(connection):
        form = catalogue(connection).event("1").registration
        form.drop_tickets()
        form.event = None

    transact(database, as_before)
    assert places(database, early) == ()
    transact(database, index_tickets)
    assert (places(database, early), places(database, late)) == ((("1", "0"),), (("1", "1"),))
    assert transact(database, lambda connection: SCHEMA.get(connection).is_complete)


def test_objects_are_read_as_they_were_stored_before(database):
    event, form = Conference("1"), RegistrationForm()
    one = form.register(PERSON)
    state = {**one.__getstate__(), "checkin_secret": "old"}
    del state["_ticket"]
    one.__setstate__(state)
    event.__setstate__({**event.__getstate__(), "registration": form})
    assert (one.checkin_secret, event.registration) == ("old", form)
