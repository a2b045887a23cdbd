"""Registration for an event: the form's settings, and who registered with which answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from export.errors import CatalogueException
from export.fossilize import Fossilizable
from export.model.ticket_index import SCHEMA as TICKETS
from export.model.ticket_index import TicketIndex
from export.people.group import Principal
from scheduler.clock import nowutc
from scheduler.store import connection_of

PERSONAL_FIELDS = (
    *("title", "firstName", "surname", "position", "institution", "address", "city"),
    *("country", "phone", "fax", "email", "personalHomepage"),
)

COMPLETE, UNPAID, PENDING, REJECTED, WITHDRAWN = (
    *("complete", "unpaid", "pending", "rejected", "withdrawn"),
)
GIVEN = (COMPLETE, PENDING, REJECTED, WITHDRAWN)
"""The states that are given; who has to pay is unpaid until then by that alone."""


@dataclass(frozen=True)
class SocialEvent(Fossilizable):
    """A social event that a registrant takes part in, with how many."""

    id: str
    caption: str
    places: int = 1
    price: Any = 0
    currency: str = ""

    @property
    def total(self) -> Decimal:
        """The price of all places."""
        return Decimal(str(self.price)) * self.places


@dataclass(frozen=True)
class RegistrantSession(Fossilizable):
    """A session that a registrant wants to attend."""

    id: str


@dataclass(frozen=True)
class AccommodationType(Fossilizable):
    """A kind of accommodation that the form offers."""

    id: str
    caption: str
    places_limit: int = 0
    places_left: int = 0
    price: Any = 0
    currency: str = ""
    billable: bool = False
    cancelled: bool = False


@dataclass(frozen=True)
class Accommodation(Fossilizable):
    """Where a registrant stays, and when."""

    arrival: date | None = None
    departure: date | None = None
    type: AccommodationType | None = None
    price: Any = 0
    billable: bool = False

    @property
    def total(self) -> Decimal:
        """The price; 0 if it is not billed."""
        return Decimal(str(self.price)) if self.billable else Decimal()


@dataclass(frozen=True)
class MiscellaneousInfoSimpleItem(Fossilizable):
    """The answer to one question of the form; `price` is for one."""

    id: str
    caption: str
    value: Any = None
    price: Any = 0
    quantity: int = 0
    currency: str = ""
    is_date: bool = False
    section: str = "0"

    @property
    def total(self) -> Decimal:
        """The price of the whole quantity."""
        return Decimal(str(self.price or 0)) * self.quantity


@dataclass(frozen=True)
class MiscellaneousInfoGroup(Fossilizable):
    """A section of the form with its answers."""

    id: str
    title: str
    items: tuple[MiscellaneousInfoSimpleItem, ...] = ()


@dataclass(frozen=True)
class Payment:
    """The payment of a registrant, and when it was noted."""

    amount: int | float
    currency: str
    noted_at: datetime


class Registrant(Persistent, Fossilizable):
    """Somebody who registered; the id is unique in the event.

    Two transactions that change the same registrant conflict; the later one is done again.
    """

    checked_in_at: datetime | None = None
    payment: Payment | None = None
    """None while it has not been paid."""
    reason: str = ""
    social_events: tuple[SocialEvent, ...] = ()
    sessions: tuple[RegistrantSession, ...] = ()
    accommodation: Accommodation = Accommodation()
    groups: tuple[MiscellaneousInfoGroup, ...] = ()
    given_state: str = COMPLETE
    """One of GIVEN; change it with `set_state`."""

    tags: tuple[str, ...] = ()

    def __init__(self, id: str, personal_data: Mapping[str, str], form: RegistrationForm) -> None:
        self.id = id
        self.form = form
        self.personal_data = {name: str(personal_data.get(name, "")) for name in PERSONAL_FIELDS}
        self.registered_at = nowutc()
        self._ticket = str(uuid.uuid4())

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "checkin_secret" in state:  # as it was stored before there was an index of tickets
            state["_ticket"] = state.pop("checkin_secret")
        super().__setstate__(state)

    @property
    def checkin_secret(self) -> str:
        """The secret of the ticket."""
        return self._ticket

    @checkin_secret.setter
    def checkin_secret(self, secret: str) -> None:
        is_in = self.form.find(self.id) is self
        if is_in:
            self.form.drop_ticket(self)
        self._ticket = secret
        if is_in:
            self.form.note_ticket(self)

    def getFullName(self) -> str:
        """Return the name as it is spoken: title, first name, family name."""
        names = (self.personal_data[key] for key in ("title", "firstName", "surname"))
        return " ".join(name for name in names if name)

    def getPersonalData(self) -> dict[str, str]:
        """Return the answers to the fields that the form asks for."""
        hidden = self.form.hidden_fields
        return {name: text for name, text in self.personal_data.items() if name not in hidden}

    def getTotal(self) -> int | float:
        """Return what there is to pay, paid or not."""
        total = self.accommodation.total
        total += sum(one.total for one in self.social_events)
        total += sum(item.total for group in self.groups for item in group.items)
        return int(total) if total == int(total) else float(total)

    @property
    def state(self) -> str:
        """How the registration stands: one of GIVEN, or UNPAID."""
        is_due = self.form.payment and self.payment is None and self.getTotal() > 0
        return UNPAID if is_due and self.given_state == COMPLETE else self.given_state

    @property
    def may_enter(self) -> bool:
        """Whether they can be checked in: neither pending nor rejected nor withdrawn."""
        return self.given_state == COMPLETE

    def set_state(self, state: str) -> None:
        """Set how the registration stands. Raises CatalogueException for none of GIVEN."""
        if state not in GIVEN:
            raise CatalogueException(f"there is no state {state!r}; there are {', '.join(GIVEN)}")
        self.given_state = state

    def set_paid(self, paid: bool) -> None:
        """Note now that all there is to pay has been paid; or take it back."""
        self.payment = Payment(self.getTotal(), self.form.currency, nowutc()) if paid else None

    def set_checked_in(self, checked_in: bool) -> None:
        """Check in now, again if that was done before; or take it back."""
        self.checked_in_at = nowutc() if checked_in else None


class RegistrationForm(Persistent):
    """An event's registration form with its registrants. Registrations may conflict."""

    event: Any = None
    """The event that it is of; None before one has it."""

    def __init__(
        self, *, payment: bool = False, currency: str = "", hidden_fields: Iterable[str] = ()
    ) -> None:
        self.payment = payment
        self.currency = currency
        self.hidden_fields = frozenset(hidden_fields)
        self.registrars: frozenset[Principal] = frozenset()
        self._registrants = OOBTree()
        self._next = 0

    def register(self, personal_data: Mapping[str, str]) -> Registrant:
        """Take somebody in. Raises CatalogueException for a field that no form has."""
        check_fields(personal_data)
        registrant = Registrant(str(self._next), personal_data, self)
        self._registrants[registrant.id] = registrant
        self._next += 1
        self.note_ticket(registrant)
        return registrant

    def remove(self, registrant: Registrant) -> None:
        """Forget *registrant*; the id is not given again."""
        self.drop_ticket(registrant)
        del self._registrants[registrant.id]

    def note_ticket(self, registrant: Registrant) -> None:
        """Have the ticket of *registrant* found, once the event is in the catalogue."""
        tickets = self._tickets()
        if tickets is not None:
            tickets.add(registrant.checkin_secret, (self.event.getId(), registrant.id))

    def drop_ticket(self, registrant: Registrant) -> None:
        """Have the ticket of *registrant* found no more."""
        tickets = self._tickets()
        if tickets is not None:
            tickets.remove(registrant.checkin_secret, (self.event.getId(), registrant.id))

    def note_tickets(self) -> None:
        """Have all tickets found: the event has come into the catalogue, or the form to it."""
        for registrant in self._registrants.values():
            self.note_ticket(registrant)

    def drop_tickets(self) -> None:
        """Have none of the tickets found any more."""
        for registrant in self._registrants.values():
            self.drop_ticket(registrant)

    def _tickets(self) -> TicketIndex | None:
        if self.event is None or not self.event.is_listed():
            return None
        place = self.event
        while place is not None and place._p_jar is None:  # it is new, in what is stored already
            place = place.getOwner()
        return TICKETS.get(connection_of(place))

    def find(self, registrant_id: str) -> Registrant | None:
        """Return the registrant of that id, or None."""
        found: Registrant | None = self._registrants.get(registrant_id)
        return found

    def getRegistrantList(self) -> list[Registrant]:
        """Return all registrants in the order of their registration."""
        return sorted(self._registrants.values(), key=lambda one: int(one.id))


def check_fields(personal_data: Mapping[str, str]) -> None:
    """Raise CatalogueException for a field that no form has."""
    unknown = set(personal_data) - set(PERSONAL_FIELDS)
    if unknown:
        raise CatalogueException(f"no form asks for {', '.join(sorted(unknown))}")
