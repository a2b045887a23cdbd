"""The commands of registrants: `indico_export registrant ...`."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.errors import CatalogueException
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.registration import (
    GIVEN,
    PERSONAL_FIELDS,
    UNPAID,
    Registrant,
    RegistrationForm,
    check_fields,
)

HEADS = ("id", "name", "email", "state", "paid", "checked_in", "tags", "registered")
STATE, TAGS, TICKET, CHECKED_IN = OWN = ("state", "tags", "ticket", "checked_in")
ALIASES = {
    **{"first name": "firstName", "last name": "surname", "surname": "surname"},
    **{"family name": "surname", "name": "surname", "e-mail": "email", "email address": "email"},
    **{"affiliation": "institution", "phone number": "phone", "registration state": STATE},
    **{"ticket uuid": TICKET, "checkin secret": TICKET, "checked in": CHECKED_IN},
}
"""Other names of columns, as programs write them, small and with blanks."""

NAMES = {name.casefold(): name for name in (*PERSONAL_FIELDS, *OWN)} | ALIASES
YES = {"yes", "y", "true", "1", "checked in"}


def add_commands(commands: Commands) -> None:
    """Add the commands of registrants; EVENT is the id of an event, ID that of a registrant."""
    found = add_noun(commands, "registrant", "who registered for events")
    add = add_verb(found, "add", "register somebody for an event", _add, "event")
    for option, about in (("first-name", "the first name"), ("surname", "the family name")):
        add.add_argument(f"--{option}", default="", help=about)
    add.add_argument("--email", required=True, help="the address, one for each registrant")
    add.add_argument("--state", choices=GIVEN, default=GIVEN[0])
    add.add_argument("--tag", action="append", default=[], help="a tag; may be given several times")
    take = add_verb(found, "import", "register everybody in a CSV file", _import, "event", "file")
    take.description = f"Columns, some or all: {', '.join((*PERSONAL_FIELDS, *OWN))}."
    add_verb(found, "list", "show who registered", _list, "event")
    add_verb(found, "check-in", "note that somebody is there", _check_in, "event", "id")
    add_verb(found, "check-out", "note that somebody is not there", _check_out, "event", "id")
    add_verb(found, "remove", "forget a registrant for ever", _remove, "event", "id")


def _add(options: Namespace, connection: Connection) -> Told:
    event = _event(options, connection)
    row = {"firstName": options.first_name, "surname": options.surname, "email": options.email}
    row |= {STATE: options.state, TAGS: ";".join(options.tag)}
    registrant, is_new = _take(event, _by_email(event), row)
    event.announce_change("infoChanged")
    done = "is registered" if is_new else "was registered already, and is changed"
    return Told(f"registrant {registrant.id}, {options.email}, {done}", _facts(registrant))


def _import(options: Namespace, connection: Connection) -> Told:
    event = _event(options, connection)
    known = _by_email(event)
    made = [_take(event, known, row, where) for where, row in _rows(options.file)]
    event.announce_change("infoChanged")
    new = sum(is_new for _, is_new in made)
    changed = len(made) - new
    facts = {"event": event.getId(), "registered": new, "changed": changed}
    return Told(f"event {event.getId()}: {new} registered, {changed} changed", facts)


def _rows(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of the file, and where each is. Raises CatalogueException."""
    try:
        with Path(name).open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file, strict=True), start=2):
                where = f"{name}:{number}"
                if None in row or None in row.values():
                    raise CatalogueException(f"{where} has not as many columns as the first line")
                yield where, {_column(key, name): text.strip() for key, text in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueException(f"{name} cannot be read as CSV: {error}") from None


def _column(title: str, name: str) -> str:
    found = NAMES.get(title.strip().casefold()) or NAMES.get(
        title.strip().casefold().replace("_", " ")
    )
    if found is None:
        known = ", ".join((*PERSONAL_FIELDS, *OWN))
        raise CatalogueException(f"{name}:1 has a column {title!r}; there are {known}")
    return found


def _by_email(event: Conference) -> dict[str, Registrant]:
    form = event.registration
    everybody = form.getRegistrantList() if form is not None else ()
    return {one.personal_data["email"].casefold(): one for one in everybody}


def _take(
    event: Conference, known: dict[str, Registrant], row: Mapping[str, str], where: str = ""
) -> tuple[Registrant, bool]:
    """Register who is in *row*, or change them, if their address is known; say if they are new."""
    personal = {name: text for name, text in row.items() if name not in OWN}
    check_fields(personal)
    if "@" not in personal.get("email", ""):
        raise CatalogueException(f"{where or 'this'} has no e-mail address")
    if event.registration is None:
        event.update(registration=RegistrationForm())
    form: Any = event.registration
    address = personal["email"].casefold()
    before = known.get(address)
    known[address] = registrant = form.register(personal) if before is None else before
    registrant.personal_data = {**registrant.personal_data, **personal}
    _note(registrant, row, where)
    return registrant, before is None


def _note(registrant: Registrant, row: Mapping[str, str], where: str) -> None:
    state = row.get(STATE, "").casefold()
    if state and state != UNPAID:
        try:
            registrant.set_state(state)
        except CatalogueException as error:
            raise CatalogueException(f"{where}: {error}" if where else str(error)) from None
    if TAGS in row:
        registrant.tags = tuple(filter(None, (tag.strip() for tag in row[TAGS].split(";"))))
    registrant.checkin_secret = row.get(TICKET) or registrant.checkin_secret
    is_there = row.get(CHECKED_IN, "").casefold() in YES
    if is_there and registrant.checked_in_at is None:
        registrant.set_checked_in(True)


def _list(options: Namespace, connection: Connection) -> Told:
    form = _event(options, connection).registration
    return listed(HEADS, map(_row, form.getRegistrantList() if form else ()))


def _facts(one: Registrant) -> dict[str, object]:
    return named(HEADS, _row(one))


def _row(one: Registrant) -> tuple[object, ...]:
    return (
        *(one.id, one.getFullName(), one.personal_data["email"], one.state),
        *(one.payment is not None, one.checked_in_at, ", ".join(one.tags), one.registered_at),
    )


def _check_in(options: Namespace, connection: Connection) -> Told:
    event, registrant = _named(options, connection)
    if not registrant.may_enter:
        raise CatalogueException(
            f"registrant {registrant.id} is {registrant.state}: nobody in that state is let in"
        )
    registrant.set_checked_in(True)
    event.announce_change("infoChanged")
    return Told(f"registrant {registrant.id} is there", _facts(registrant))


def _check_out(options: Namespace, connection: Connection) -> Told:
    event, registrant = _named(options, connection)
    registrant.set_checked_in(False)
    event.announce_change("infoChanged")
    return Told(f"registrant {registrant.id} is not there", _facts(registrant))


def _remove(options: Namespace, connection: Connection) -> Told:
    event, registrant = _named(options, connection)
    facts = _facts(registrant)
    registrant.form.remove(registrant)
    event.announce_change("infoChanged")
    return Told(f"registrant {registrant.id} is forgotten", facts)


def _event(options: Namespace, connection: Connection) -> Conference:
    event = catalogue(connection).event(options.event)
    if event is None:
        raise CatalogueException(f"there is no event {options.event!r}")
    return event


def _named(options: Namespace, connection: Connection) -> tuple[Conference, Registrant]:
    event = _event(options, connection)
    found = event.registration.find(options.id) if event.registration else None
    if found is None:
        raise CatalogueException(f"the event {event.getId()} has no registrant {options.id!r}")
    return event, found
