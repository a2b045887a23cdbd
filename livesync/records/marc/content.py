"""The content of records of MARC: an object as a library or a search engine receives it.

Fields that an object does not have (a description, chairs) are left out. For a restricted object
the record holds its address and its access list only, where the target may not see it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from export.fossils.installation import address_of
from export.model.local_time import in_utc
from livesync.objects.object_model import (
    CATEGORY,
    CONTRIBUTION,
    EVENT,
    SUBCONTRIBUTION,
    ask,
    is_restricted,
    kind_of,
    lineage,
    may_change,
    may_see,
    owner_of,
    unique_id,
)
from livesync.records.marc.access import access_list, resources, visibility
from livesync.records.marc.field import MarcField
from livesync.records.shape import shape_of

TAGS = {"title": ("245__", "a"), "description": ("520__", "a"), "url": ("8564_", "u")}
NO_CONTENT = {"id", "_type", "_fossil"}


def fields_of(obj: Any, uid: str, access: Any = None) -> Iterator[MarcField]:
    """Yield the fields of *obj*, known as *uid*, that *access* may see."""
    kind = kind_of(obj)
    if kind not in WRITERS:
        yield from _other(obj, uid, access)
    elif may_see(obj, access):
        yield from WRITERS[kind](obj, uid, access)
    else:
        yield from _restricted(obj, uid)


def deletion(uid: str) -> Iterator[MarcField]:
    """Yield the fields that tell that what was known as *uid* is gone."""
    yield MarcField("970__", ("a", f"INDICO.{uid}"))
    yield MarcField("980__", ("c", "DELETED"))


def _event(event: Any, uid: str, access: Any) -> Iterator[MarcField]:
    title = ask(event, "getTitle")
    yield MarcField("245__", ("a", title))
    yield MarcField(
        "111__",
        ("a", title),
        ("c", place_name(event)),
        ("9", moment(ask(event, "getStartDate"))),
        ("z", moment(ask(event, "getEndDate"))),
        ("g", uid),
    )
    yield _categories(event)
    yield MarcField("518__", ("d", moment(ask(event, "getStartDate"))))
    yield MarcField("520__", ("a", ask(event, "getDescription") or None))
    yield from _numbers_and_keywords(event)
    yield MarcField("65027", ("a", event_type(event)))
    chairs = list(ask(event, "getChairList") or ())
    for chair in chairs:
        yield MarcField("906__", ("p", person_name(chair)), ("u", affiliation(chair)))
    yield from resources(event, uid, access)
    if not is_restricted(event) or may_change(event, access):
        for chair in chairs:
            yield MarcField("859__", ("f", ask(chair, "getEmail") or None))
    yield MarcField("961__", ("x", day(ask(event, "getCreationDate"))))
    yield MarcField("961__", ("c", day(ask(event, "getModificationDate"))))
    yield visibility(event)
    yield MarcField("970__", ("a", f"INDICO.{uid}"))
    yield from _links(event)
    yield from access_list(event)


def _contribution(contribution: Any, uid: str, access: Any) -> Iterator[MarcField]:
    event = owner_of(contribution)
    yield from _head(contribution, uid)
    yield MarcField("111__", ("g", unique_id(event)))
    yield MarcField("961__", ("c", day(ask(contribution, "getModificationDate"))))
    yield _categories(contribution)
    yield MarcField(
        "518__",
        ("r", location_name(contribution)),
        ("d", moment(ask(contribution, "getStartDate"))),
        ("h", moment(ask(contribution, "getEndDate"))),
    )
    yield from _subject(contribution, contribution, event, access)
    yield from _people(contribution, contribution)
    yield from resources(contribution, uid, access)
    yield from _tail(contribution, uid, event)


def _subcontribution(sub: Any, uid: str, access: Any) -> Iterator[MarcField]:
    contribution = owner_of(sub)
    event = owner_of(contribution)
    yield from _head(sub, uid)
    yield MarcField("111__", ("g", unique_id(event)))
    yield _categories(sub)
    if may_see(contribution, access):
        yield MarcField(
            "518__",
            ("r", location_name(contribution)),
            ("d", moment(ask(contribution, "getStartDate"))),
        )
        yield from _subject(sub, contribution, event, access)
        yield from _people(contribution, sub)
    yield from resources(sub, uid, access)
    yield from _tail(sub, uid, event)


def _other(obj: Any, uid: str, access: Any) -> Iterator[MarcField]:
    shape = shape_of(obj, access) if may_see(obj, access) else {}
    if shape is None:
        yield MarcField("245__", ("a", ask(obj, "getTitle")))
    else:
        yield from _shown(shape)
    yield MarcField("970__", ("a", f"INDICO.{uid}"))


def _shown(shape: dict[str, Any]) -> Iterator[MarcField]:
    """Yield the fields of a fossil: known names by their tags, all others as notes."""
    for name, value in shape.items():
        if name in NO_CONTENT or value is None:
            continue
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        tag, code = TAGS.get(name, ("500__", "a"))
        yield MarcField(tag, (code, text if name in TAGS else f"{name}: {text}"))


def _restricted(obj: Any, uid: str) -> Iterator[MarcField]:
    event = obj
    if kind_of(obj) != EVENT:
        yield from _names(uid)
        while kind_of(event) != EVENT:
            event = owner_of(event)
        yield MarcField("962__", ("b", f"INDICO.{unique_id(event)}"))
    yield MarcField("111__", ("g", unique_id(event)))
    yield _categories(obj)
    yield visibility(obj)
    yield MarcField("970__", ("a", f"INDICO.{uid}"))
    yield from _links(obj)
    yield from access_list(obj)


WRITERS = {EVENT: _event, CONTRIBUTION: _contribution, SUBCONTRIBUTION: _subcontribution}


def _names(uid: str) -> Iterator[MarcField]:
    yield MarcField("035__", ("a", f"INDICO.{uid}"))
    yield MarcField("035__", ("a", uid), ("9", "Indico"))


def _head(obj: Any, uid: str) -> Iterator[MarcField]:
    yield from _names(uid)
    yield MarcField("245__", ("a", ask(obj, "getTitle")))
    yield MarcField("300__", ("a", clock_time(ask(obj, "getDuration"))))


def _subject(obj: Any, contribution: Any, event: Any, access: Any) -> Iterator[MarcField]:
    yield MarcField("520__", ("a", ask(obj, "getDescription") or None))
    if may_see(event, access):
        yield MarcField("61124", ("a", ask(event, "getTitle")))
    yield from _numbers_and_keywords(obj)
    track = ask(contribution, "getTrack")
    yield MarcField("65017", ("2", "SzGeCERN"), ("a", _name(track, "getTitle")))


def _tail(obj: Any, uid: str, event: Any) -> Iterator[MarcField]:
    yield MarcField("962__", ("b", f"INDICO.{unique_id(event)}"))
    yield MarcField("970__", ("a", f"INDICO.{uid}"))
    yield visibility(obj)
    yield from _links(obj)
    yield from access_list(obj)


def _links(obj: Any) -> Iterator[MarcField]:
    event = obj
    if kind_of(obj) != EVENT:
        yield MarcField("8564_", ("u", _url(obj)), ("y", "Contribution details"))
        while kind_of(event) != EVENT:
            event = owner_of(event)
    yield MarcField("8564_", ("u", _url(event)), ("y", "Event details"))


def _url(obj: Any) -> Any:
    return address_of(obj, ask(obj, "getURL"))


def _categories(obj: Any) -> MarcField:
    ids = [str(category.getId()) for category in lineage(obj) if kind_of(category) == CATEGORY]
    return MarcField("650_7", ("a", ":".join(reversed(ids)) or None))


def _numbers_and_keywords(obj: Any) -> Iterator[MarcField]:
    numbers = ask(obj, "getReportNumbers") or ()
    yield MarcField("088__", *(("a", number) for number in numbers))
    yield MarcField("6531_", *(("a", keyword) for keyword in keywords(obj) or [""]))


def _people(contribution: Any, speaking: Any) -> Iterator[MarcField]:
    """Yield the authors of *contribution* and the speakers of *speaking*."""
    roles: dict[tuple[str, str | None], list[str]] = {}
    primary = ask(contribution, "getPrimaryAuthorList") or ()
    for number, author in enumerate((*primary, *(ask(contribution, "getCoAuthorList") or ()))):
        _add_role(roles, author, "Author" if number or not primary else "Primary Author")
    for speaker in ask(speaking, "getSpeakerList") or ():
        _add_role(roles, speaker, "Speaker")
    for (name, institute), parts in roles.items():
        tag = "100__" if "Primary Author" in parts else "700__"
        yield MarcField(tag, ("a", name), *(("e", part) for part in parts), ("u", institute))


def _add_role(roles: dict[tuple[str, str | None], list[str]], person: Any, role: str) -> None:
    taken = roles.setdefault((person_name(person), affiliation(person)), [])
    if role not in taken:
        taken.append(role)


def moment(date: datetime | None) -> str | None:
    """Return *date* in UTC to the minute, as `2011-02-07T12:21:00Z`."""
    return None if date is None else f"{in_utc(date).isoformat()[:16]}:00Z"


def day(date: datetime | None) -> str | None:
    """Return the day of *date* in UTC, as `2011-02-07T`."""
    return None if date is None else f"{in_utc(date).date().isoformat()}T"


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
