"""Fossils of registrants (reference 5.3.5)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.model.local_time import in_zone

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def moment_in_words(moment: datetime | None, event_zone: str) -> str | None:
    """Return *moment* as the clocks at the event show it."""
    return f"{in_zone(moment, ZoneInfo(event_zone)):%d/%m/%Y %H:%M}" if moment else None


def day_in_words(day: date | None) -> str | None:
    """Return *day* with hyphens."""
    return f"{day:%d-%m-%Y}" if day else None


def _html_name(item: Any) -> str:
    if item.is_date:
        return f"_genfield_{item.section}_{item.id}_"
    return f"*genfield*{item.section}-{item.id}"


class IRegistrantFields(IFossil):
    """The fields of both detail levels."""

    taggedValue("of", "export.model.registration:Registrant")

    def getId(): ...

    getId.produce = lambda registrant: registrant.id
    getId.name = "registrant_id"

    def getFullName(): ...

    getFullName.name = "full_name"

    def checked_in(): ...

    checked_in.produce = lambda registrant: registrant.checked_in_at is not None
    checked_in.name = "checked_in"

    def checked_in_at(): ...

    checked_in_at.name = "checkin_date"
    checked_in_at.convert = moment_in_words

    def registered_at(): ...

    registered_at.name = "registration_date"
    registered_at.convert = moment_in_words

    def paid(): ...

    paid.produce = lambda one: one.payment is not None if one.form.payment else None
    paid.name = "paid"

    def getTotal(): ...

    getTotal.produce = lambda one: one.getTotal() if one.form.payment else None
    getTotal.name = "amount_paid"


class IRegFormRegistrantBasicFossil(IRegistrantFields):
    """A registrant; detail `basic`."""

    taggedValue("fossil", "regFormRegistrantBasic")

    def getPersonalData(): ...

    getPersonalData.name = "personal_data"


class ISocialEventFossil(IFossil):
    """A social event."""

    taggedValue("fossil", "regFormSocialEvent")

    def id(): ...
    def caption(): ...
    def places(): ...

    places.name = "noPlaces"

    def price(): ...
    def currency(): ...


class ISessionsFormFossil(IFossil):
    """A session."""

    taggedValue("fossil", "regFormSessionsForm")

    def id(): ...


class IAccommodationTypeFossil(IFossil):
    """A kind of accommodation."""

    taggedValue("fossil", "regFormAccommodationTypeItem")

    def id(): ...
    def caption(): ...
    def places_limit(): ...

    places_limit.name = "placesLimit"

    def places_left(): ...

    places_left.name = "noPlacesLeft"

    def price(): ...
    def currency(): ...
    def billable(): ...
    def cancelled(): ...


class IAccommodationFossil(IFossil):
    """Where a registrant stays."""

    taggedValue("fossil", "regFormAccommodation")

    def arrival(): ...

    arrival.name = "arrivalDate"
    arrival.convert = day_in_words

    def departure(): ...

    departure.name = "departureDate"
    departure.convert = day_in_words

    def type(): ...

    type.name = "accommodationType"
    type.result = IAccommodationTypeFossil

    def price(): ...
    def billable(): ...


class ISimpleItemFossil(IFossil):
    """An answer."""

    taggedValue("fossil", "regFormMiscellaneousInfoSimpleItem")

    def id(): ...
    def caption(): ...
    def html_name(): ...

    html_name.produce = _html_name
    html_name.name = "HTMLName"

    def value(): ...
    def price(): ...
    def quantity(): ...
    def currency(): ...


class IGroupFossil(IFossil):
    """A section of the form."""

    taggedValue("fossil", "regFormMiscellaneousInfoGroupFull")

    def id(): ...
    def title(): ...
    def items(): ...

    items.name = "responseItems"
    items.result = ISimpleItemFossil


class IRegFormRegistrantFullFossil(IRegistrantFields):
    """A registrant with all answers; detail `full`."""

    taggedValue("fossil", "regFormRegistrantFull")

    def reason(): ...

    reason.name = "reasonParticipation"

    def social_events(): ...

    social_events.name = "socialEvents"
    social_events.result = ISocialEventFossil

    def sessions(): ...

    sessions.name = "sessionList"
    sessions.result = ISessionsFormFossil

    def accommodation(): ...

    accommodation.result = IAccommodationFossil

    def groups(): ...

    groups.name = "miscellaneousGroupList"
    groups.result = IGroupFossil
