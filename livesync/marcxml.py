"""MARCXML of records: what library catalogues and search engines take in.

One `collection` with a `record` each. What an object does not have (a description, chairs)
is left out of its record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from livesync.records import present
from livesync.reduction import STATUS_DELETED, Record
from livesync.subjects import (
    CATEGORY,
    CONTRIBUTION,
    EVENT,
    SUBCONTRIBUTION,
    ask,
    has_method,
    kind_of,
    lineage,
    owner_of,
    unique_id,
)

NAMESPACE = "http://www.loc.gov/MARC21/slim"
LEADER = "00000nmm  2200000uu 4500"
LEADER_OF_DELETED = "00000dmm  2200000uu 4500"
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

Subfields = list[tuple[str, Any]]


def collection(records: Iterable[Record]) -> str:
    """Return the MARCXML document with all *records* that can be sent."""
    root = etree.Element(_tag("collection"), nsmap={None: NAMESPACE})
    for record in present(records):
        root.append(marc_record(record))
    document: bytes = etree.tostring(
        root, xml_declaration=True, encoding="UTF-8", pretty_print=True
    )
    return document.decode()


def marc_record(record: Record) -> Any:
    """Return the `record` element of *record*: of the object, or of its deletion."""
    obj, obj_id, status = record
    if status & STATUS_DELETED:
        return _element(_deletion(str(obj_id)), LEADER_OF_DELETED)
    return _element(WRITERS.get(kind_of(obj), _other)(obj, str(obj_id)))


class Field:
    """One data field: a *tag* of three digits and two indicators (`_` is blank), and subfields.

    Subfields without a value are left out.
    """

    def __init__(self, tag: str, *subfields: tuple[str, Any]) -> None:
        self.tag, self.indicators = tag[:3], tag[3:].replace("_", " ").ljust(2)
        self.subfields = [(code, str(value)) for code, value in subfields if value is not None]

    def attributes(self) -> dict[str, str]:
        """Return the attributes of the field's element."""
        return {"tag": self.tag, "ind1": self.indicators[0], "ind2": self.indicators[1]}


def _element(fields: Iterable[Field], leader: str = LEADER) -> Any:
    record = etree.Element(_tag("record"))
    etree.SubElement(record, _tag("leader")).text = leader
    for field in fields:
        if not field.subfields:
            continue
        data = etree.SubElement(record, _tag("datafield"), field.attributes())
        for code, value in field.subfields:
            etree.SubElement(data, _tag("subfield"), code=code).text = NOT_IN_XML.sub(" ", value)
    return record


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _deletion(obj_id: str) -> Iterator[Field]:
    yield Field("970__", ("a", f"INDICO.{obj_id}"))
    yield Field("980__", ("c", "DELETED"))


def _event(event: Any, uid: str) -> Iterator[Field]:
    title = ask(event, "getTitle")
    yield Field("245__", ("a", title))
    yield Field(
        "111__",
        ("a", title),
        ("c", place_name(event)),
        ("9", moment(ask(event, "getStartDate"))),
        ("z", moment(ask(event, "getEndDate"))),
        ("g", uid),
    )
    yield _categories(event)
    yield Field("518__", ("d", moment(ask(event, "getStartDate"))))
    yield Field("520__", ("a", ask(event, "getDescription") or None))
    yield from _numbers_and_keywords(event)
    yield Field("65027", ("a", event_type(event)))
    chairs = list(ask(event, "getChairList") or ())
    for chair in chairs:
        yield Field("906__", ("p", person_name(chair)), ("u", affiliation(chair)))
    for chair in chairs:
        yield Field("859__", ("f", ask(chair, "getEmail") or None))
    yield Field("961__", ("x", day(ask(event, "getCreationDate"))))
    yield Field("961__", ("c", day(ask(event, "getModificationDate"))))
    yield _visibility(event)
    yield Field("970__", ("a", f"INDICO.{uid}"))
    yield Field("8564_", ("u", ask(event, "getURL")), ("y", "Event details"))
    yield from _access(event)


def _contribution(contribution: Any, uid: str) -> Iterator[Field]:
    event = owner_of(contribution)
    yield from _head(contribution, uid)
    yield Field("111__", ("g", unique_id(event)))
    yield Field("961__", ("c", day(ask(contribution, "getModificationDate"))))
    yield _categories(contribution)
    yield Field(
        "518__",
        ("r", location_name(contribution)),
        ("d", moment(ask(contribution, "getStartDate"))),
        ("h", moment(ask(contribution, "getEndDate"))),
    )
    yield from _subject(contribution, event, contribution)
    yield from _people(
        ask(contribution, "getPrimaryAuthorList") or (),
        ask(contribution, "getCoAuthorList") or (),
        ask(contribution, "getSpeakerList") or (),
    )
    yield from _tail(contribution, uid, contribution, event)


def _subcontribution(sub: Any, uid: str) -> Iterator[Field]:
    contribution = owner_of(sub)
    event = owner_of(contribution)
    yield from _head(sub, uid)
    yield Field("111__", ("g", unique_id(event)))
    yield _categories(sub)
    yield Field(
        "518__",
        ("r", location_name(contribution)),
        ("d", moment(ask(contribution, "getStartDate"))),
    )
    yield from _subject(sub, event, contribution)
    yield from _people(
        ask(contribution, "getPrimaryAuthorList") or (),
        ask(contribution, "getCoAuthorList") or (),
        ask(sub, "getSpeakerList") or (),
    )
    yield from _tail(sub, uid, sub, event)


def _other(obj: Any, uid: str) -> Iterator[Field]:
    yield Field("245__", ("a", ask(obj, "getTitle")))
    yield Field("970__", ("a", f"INDICO.{uid}"))


WRITERS = {EVENT: _event, CONTRIBUTION: _contribution, SUBCONTRIBUTION: _subcontribution}


def _head(obj: Any, uid: str) -> Iterator[Field]:
    yield Field("035__", ("a", f"INDICO.{uid}"))
    yield Field("035__", ("a", uid), ("9", "Indico"))
    yield Field("245__", ("a", ask(obj, "getTitle")))
    yield Field("300__", ("a", clock_time(ask(obj, "getDuration"))))


def _subject(obj: Any, event: Any, contribution: Any) -> Iterator[Field]:
    yield Field("520__", ("a", ask(obj, "getDescription") or None))
    yield Field("61124", ("a", ask(event, "getTitle")))
    yield from _numbers_and_keywords(obj)
    track = ask(contribution, "getTrack")
    yield Field("65017", ("2", "SzGeCERN"), ("a", _name(track, "getTitle")))


def _tail(obj: Any, uid: str, details: Any, event: Any) -> Iterator[Field]:
    yield Field("962__", ("b", f"INDICO.{unique_id(event)}"))
    yield Field("970__", ("a", f"INDICO.{uid}"))
    yield _visibility(obj)
    yield Field("8564_", ("u", ask(details, "getURL")), ("y", "Contribution details"))
    yield Field("8564_", ("u", ask(event, "getURL")), ("y", "Event details"))
    yield from _access(obj)


def _categories(obj: Any) -> Field:
    ids = [str(category.getId()) for category in lineage(obj) if kind_of(category) == CATEGORY]
    return Field("650_7", ("a", ":".join(reversed(ids)) or None))


def _numbers_and_keywords(obj: Any) -> Iterator[Field]:
    numbers = ask(obj, "getReportNumbers") or ()
    yield Field("088__", *(("a", number) for number in numbers))
    yield Field("6531_", *(("a", keyword) for keyword in keywords(obj) or [""]))


def _people(
    primary: Iterable[Any], others: Iterable[Any], speakers: Iterable[Any]
) -> Iterator[Field]:
    roles: dict[tuple[str, str | None], list[str]] = {}
    for number, author in enumerate((*primary, *others)):
        role = "Author" if number else "Primary Author"
        _add_role(roles, author, role)
    for speaker in speakers:
        _add_role(roles, speaker, "Speaker")
    for (name, institute), parts in roles.items():
        tag = "100__" if "Primary Author" in parts else "700__"
        yield Field(tag, ("a", name), *(("e", part) for part in parts), ("u", institute))


def _add_role(roles: dict[tuple[str, str | None], list[str]], person: Any, role: str) -> None:
    taken = roles.setdefault((person_name(person), affiliation(person)), [])
    if role not in taken:
        taken.append(role)


def _visibility(obj: Any) -> Field:
    restricted = ask(obj, "isProtected") or ask(obj, "getDomainList")
    return Field("980__", ("a", "INDICOSEARCH.PRIVATE" if restricted else "INDICOSEARCH.PUBLIC"))


def _access(obj: Any) -> Iterator[Field]:
    if not ask(obj, "isProtected"):
        yield Field("5060_", ("a", ""))  # a field without any subfield is not valid
        return
    allowed = list(ask(obj, "getRecursiveAllowedToAccessList") or ())
    groups = sorted(_account(who) for who in allowed if has_method(who, "getMemberList"))
    users = sorted(_account(who) for who in allowed if not has_method(who, "getMemberList"))
    for names, kind in ((groups, "group"), (users, "username")):
        if names:
            yield Field("5061_", *(("d", name) for name in names), ("f", kind))
    if not allowed:
        # Nobody is listed, and that is not the same as everybody.
        yield Field("5061_", ("f", "username"))


def _account(who: Any) -> str:
    return who if isinstance(who, str) else str(who.getId())


def moment(date: datetime | None) -> str | None:
    """Return *date* in UTC to the minute, as `2011-02-07T12:21:00Z`."""
    return None if date is None else date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00Z")


def day(date: datetime | None) -> str | None:
    """Return the day of *date* in UTC, as `2011-02-07T`."""
    return None if date is None else date.astimezone(UTC).strftime("%Y-%m-%dT")


def clock_time(duration: timedelta | None) -> str | None:
    """Return *duration* as h:mm:ss."""
    if duration is None:
        return None
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def location_name(obj: Any) -> str | None:
    """Return the name of the location of *obj*."""
    return _name(ask(obj, "getLocation"))


def place_name(obj: Any) -> str | None:
    """Return "name, address, room" of the location of *obj*, as far as it is known."""
    location, room = ask(obj, "getLocation"), ask(obj, "getRoom")
    known = (_name(location), ask(location, "getAddress") or ask(obj, "getAddress"), _name(room))
    return ", ".join(part for part in known if part) or None


def person_name(person: Any) -> str:
    """Return "Family First"."""
    names = (ask(person, "getFamilyName"), ask(person, "getFirstName"))
    return " ".join(name for name in names if name) or str(ask(person, "getFullName") or "")


def affiliation(person: Any) -> str | None:
    """Return the affiliation of *person*; None for none."""
    return ask(person, "getAffiliation") or None


def keywords(obj: Any) -> list[str]:
    """Return the keywords of *obj*, whether it has them as lines or as a list."""
    words = ask(obj, "getKeywords") or []
    return words.splitlines() if isinstance(words, str) else [str(word) for word in words]


def event_type(event: Any) -> str | None:
    """Return `Lecture`, `Meeting` or `Conference`."""
    name = {"simple_event": "lecture"}.get(str(ask(event, "getType")), ask(event, "getType"))
    return str(name).capitalize() if name else None


def _name(named: Any, getter: str = "getName") -> str | None:
    """Return the name of what may be a text itself."""
    return (named if isinstance(named, str) else ask(named, getter)) or None
