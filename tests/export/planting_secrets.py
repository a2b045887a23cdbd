"""A catalogue full of secrets, and who may know which of them.

Every secret is a word of its own, `hush-...`, so that it can be looked for in the bytes of answers.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import date, timedelta

from export.app import make_app
from export.auth.api_keys import key_ring
from export.auth.browser_sessions import sessions
from export.auth.tokens import SCOPES, tokens
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from export.model.material import Attachment, Folder, Link, LocalFile, Material
from export.model.person import ConferenceChair, ContributionParticipation, SlotChair
from export.model.registration import RegistrationForm
from export.model.session import Session, SessionSlot
from export.model.timetable import Break
from export.people.user import Avatar, users
from export.rooms.registry import Location, rooms
from scheduler.clock import nowutc
from scheduler.store import open_database, transact
from tests.export.planting import at, plant
from tests.export.planting_rooms import local, slots

STRANGER, READER, MANAGER = "8001", "8002", "8003"
ROOM_USER = "8004"
CALLERS = (None, STRANGER, READER, MANAGER, ROOM_USER)

FOR_READERS = "hush-reader"
FOR_MANAGERS = "hush-manager"
FOR_ROOM_USERS = "hush-rooms"
FOR_NOBODY = "hush-nobody"

KNOWN_TO = {
    None: (),
    STRANGER: (),
    READER: (FOR_READERS,),
    MANAGER: (FOR_READERS, FOR_MANAGERS),
    ROOM_USER: (FOR_ROOM_USERS,),
}
"""The kinds of secrets that each caller may read."""


def plant_secrets(connection):
    """Plant the event of reference 5.3.2 with closed parts, a closed event, rooms and users."""
    plant(connection)
    found = catalogue(connection)
    _close_parts(found.event("137346"))
    _add_closed_event(found)
    _add_registrants(found.event("137346"))
    _add_rooms(connection)
    _add_users(connection)
    found.category("2").grant_modification(MANAGER)


def _closed(obj):
    obj.setProtection(Protection.RESTRICTED)
    obj.grant_access(READER)
    obj.grant_access(f"{FOR_MANAGERS}-allowed")
    return obj


def _person(kind, name, secret=""):
    return kind(
        name, secret or "First", secret or "Last", email=f"{FOR_MANAGERS}-{name}@example.org"
    )


def _material(name, secret=FOR_READERS):
    file = LocalFile.store("0", f"{secret}-{name}.txt", f"{secret}-{name}-content".encode())
    link = Link(f"{secret}-{name}-link", f"https://example.org/{secret}-{name}")
    return Material("closed", f"{secret}-{name}-material", (file, link))


def _folder(name):
    file = Attachment(1, f"{FOR_READERS}-{name}-attachment", "file", description=FOR_READERS)
    return Folder(1, f"{FOR_READERS}-{name}-folder", FOR_READERS, attachments=(file,))


def _close_parts(event):
    """Close one part of every kind; the event itself stays open."""
    event.update(chairs=(_person(ConferenceChair, "chair"),))
    for name, owner in (
        ("event", event),
        ("talk", event.contributions["0"]),
        ("session", event.sessions["0"]),
    ):
        material = _material(name)
        owner.add_material(material)
        folder = _folder(name)
        owner.update(folders=(folder,))
        folder.setOwner(owner)
        _closed(material)
        _closed(folder)
    open_talk = event.contributions["1"]
    open_talk.update(speakers=(_person(ContributionParticipation, "speaker"),))
    open_talk.addSubContribution(
        SubContribution("0", "An open part"),
    )
    part = SubContribution("1", f"{FOR_READERS}-part-title")
    part.update(speakers=(_person(ContributionParticipation, "part", f"{FOR_READERS}-part"),))
    open_talk.addSubContribution(part)
    part.add_material(_material("part"))
    _closed(part)
    _closed(_described(event.contributions["2"], "talk"))
    event.contributions["2"].update(note={"html": f"{FOR_READERS}-talk-note"})
    _add_video(event, (event.contributions["2"],))
    _add_video(event, (event.contributions["1"],))
    _add_closed_session(event)


def _add_closed_session(event):
    session, slot = Session("1", f"{FOR_READERS}-session-title"), SessionSlot("0")
    slot.setDates(at(24, 16), at(24, 17))
    event.addSession(session)
    session.addSlot(slot)
    slot.update(conveners=(_person(SlotChair, "convener", f"{FOR_READERS}-convener"),))
    _described(slot, "slot")
    _described(session, "session")
    talk = Contribution("9", f"{FOR_READERS}-inside-title")
    talk.setDates(at(24, 16), at(24, 16, 20))
    event.addContribution(talk)
    slot.schedule(talk)
    inside = Contribution("10", "Open in a closed session")
    inside.setDates(at(24, 16, 20), at(24, 16, 40))
    event.addContribution(inside)
    slot.schedule(inside)
    inside.setProtection(Protection.PUBLIC)
    pause = Break("5", f"{FOR_READERS}-break-title")
    pause.setDates(at(24, 16, 40), at(24, 17))
    event.add_break(pause, slot)
    _closed(session)


def _described(entry, name):
    entry.update(
        _title=f"{FOR_READERS}-{name}-title",
        _description=f"{FOR_READERS}-{name}-description",
        location=f"{FOR_READERS}-{name}-location",
        room=f"{FOR_READERS}-{name}-room",
        address=f"{FOR_READERS}-{name}-address",
    )
    return entry


def _add_closed_event(found):
    """A closed event in a closed category, and an open one that is in it, too."""
    closed = Category("3", f"{FOR_READERS}-category-title")
    found.add_category(closed, found.category("2"))
    _closed(closed)
    event = _described(Conference("555", f"{FOR_READERS}-event-title"), "event")
    event.setDates(at(23, 8), at(24, 18))
    event.update(
        chairs=(_person(ConferenceChair, "closedchair", f"{FOR_READERS}-chair"),),
        keywords=(f"{FOR_READERS}-keyword",),
        organizer=f"{FOR_READERS}-organizer",
    )
    found.add_event(event, closed)
    event.add_material(_material("closedevent"))
    talk = _described(Contribution("0", ""), "closedtalk")
    talk.setDates(at(23, 9), at(23, 10))
    event.addContribution(talk)
    aside = Contribution("5", "Open in a closed event")
    aside.setDates(at(23, 9), at(23, 10))
    event.addContribution(aside)
    aside.setProtection(Protection.PUBLIC)
    _add_video(event, (aside,))
    _add_video(event, (talk,))
    _add_video(event, (talk, aside))
    _add_video(event, ())
    is_open = Conference("556", "Open in a closed category")
    is_open.setDates(at(23, 8), at(24, 18))
    found.add_event(is_open, closed)
    is_open.setProtection(Protection.PUBLIC)
    below = Category("4", "Open below a closed one")
    found.add_category(below, closed)
    below.setProtection(Protection.PUBLIC)
    shown = Conference("557", "Open below a closed category")
    shown.setDates(at(23, 8), at(24, 18))
    found.add_event(shown, below)


def _add_video(event, talks):
    title = "" if event.getId() == "137346" else f"{FOR_READERS}-video-title"
    for kind in ("Vidyo", "CERNMCU", "WebcastRequest", "RecordingRequest"):
        event.book_video(kind, title=title, status="A", talks=talks)


def _add_registrants(event):
    event.registration = RegistrationForm(payment=True)
    registrant = event.registration.register(
        {
            "firstName": f"{FOR_MANAGERS}-registrant",
            "surname": f"{FOR_MANAGERS}-surname",
            "email": f"{FOR_MANAGERS}-registrant@example.org",
            "phone": f"{FOR_MANAGERS}-phone",
        }
    )
    registrant.checkin_secret = f"{FOR_MANAGERS}-checkin"


def _add_rooms(connection):
    registry = rooms(connection)
    registry.users = frozenset({ROOM_USER})
    room = registry.add_location(Location("CERN")).add_room(120, 500, "1", "201", "Mezzanine")
    reservation = room.book(
        slots(local(2011, 6, 24, 8, 30), last=date(2011, 6, 25), every="daily"),
        ROOM_USER,
        f"{FOR_ROOM_USERS}-reason",
        f"{FOR_ROOM_USERS}-person",
    )
    reservation.contact_email = f"{FOR_NOBODY}-contact@example.org"


def _add_users(connection):
    found = users(connection)
    for number in (STRANGER, READER, MANAGER, ROOM_USER):
        found.add(Avatar(number, "Some", "Body"))
    other = Avatar("36024", "Alberto", "Resco", f"{FOR_NOBODY}-other@example.org", "other")
    other.phone, other.address = f"{FOR_NOBODY}-phone", f"{FOR_NOBODY}-address"
    other._password = f"{FOR_NOBODY}-password"
    found.add(other)
    key_ring(connection).create("36024", secret=f"{FOR_NOBODY}-secret")
    token, _ = tokens(connection).create("36024", f"{FOR_NOBODY}-name", ["read:user"])
    token.usage.address = f"{FOR_NOBODY}-address"
    session, _ = sessions(connection).begin("36024", f"{FOR_NOBODY}-stamp")
    session.ends += timedelta(days=1)


def schedule_a_room(client, credentials):
    """Make the schedule 1, by its own API."""
    requested = {
        "name": f"{FOR_ROOM_USERS}-schedule",
        "room": 120,
        "start_at": int(nowutc().timestamp()) + 3600,
        "duration": 60,
        "template": {"17": f"{FOR_ROOM_USERS}-template"},
        "recurrence": {"type": "daily", "range_type": "after", "end_after": 3},
    }
    answer = client.post("/api/v3/schedule", json=requested, headers=credentials)
    assert answer.json == [1], answer.text


@contextmanager
def serving_secrets(folder, config=None, resources=()):
    """Give an application on a database of secrets in *folder*."""
    with closing(open_database(f"file://{folder}/data.fs")) as database:
        transact(database, plant_secrets)
        with closing(make_app(database, config, resources)) as app:
            yield app


def let_in_everywhere(connection):
    """Make the manager one of the whole catalogue; return a token with all scopes."""
    catalogue(connection).root.grant_modification(MANAGER)
    return tokens(connection).create(MANAGER, "all", SCOPES)[1]
