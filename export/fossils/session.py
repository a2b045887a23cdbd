"""Fossils of sessions: an object for each slot, with its session's fields."""

from __future__ import annotations

from datetime import datetime, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.contribution import IContributionFossil, IContributionWithSubContribsFossil
from export.fossils.material import IMaterialFossil
from export.fossils.person import ISlotChairFossil
from export.fossils.placed import IPlacedFossil, in_zone
from export.fossils.room import SLOTS

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def _slot_title(slot: Any) -> str:
    own = slot.getTitle()
    return f"{slot.getSession().getTitle()}: {own}" if own else str(slot.getSession().getTitle())


def _of_session(name: str) -> Any:
    return lambda slot: getattr(slot.getSession(), name)


def _or_empty(value: str | None) -> str:
    return value or ""


def _adjusted(getter: str) -> Any:
    def produce(event: Any) -> datetime | None:
        return in_zone(getattr(event, getter)(), ZoneInfo(event.timezone))

    return produce


def booked_rooms(event: Any, tz: tzinfo) -> dict[str, list[dict[str, datetime | None]]]:
    """Return when which rooms are taken for *event*, by their full names; the first slots."""
    booked: dict[str, list[dict[str, datetime | None]]] = {}
    for reservation in event.reservations:
        if reservation.takes_room:
            booked.setdefault(reservation.room.getFullName(), []).extend(
                {"startDateTime": in_zone(one.startDT, tz), "endDateTime": in_zone(one.endDT, tz)}
                for one in islice(reservation.getOccurrences(), SLOTS)
            )
    return booked


class ISupportInfoFossil(IFossil):
    """Whom to ask about an event."""

    taggedValue("fossil", "supportInfo")

    def caption(): ...
    def email(): ...
    def telephone(): ...


class IConferenceOfSlotFossil(IFossil):
    """An event, inside the answer for a slot; the adjusted dates are in its own zone."""

    taggedValue("of", "export.model.conference:Conference")
    taggedValue("fossil", "conference")

    def getId(): ...
    def getTitle(): ...
    def type(): ...
    def getDescription(): ...
    def getLocation(): ...
    def getRoom(): ...
    def getAddress(): ...
    def timezone(): ...
    def getStartDate(): ...

    getStartDate.convert = in_zone

    def getEndDate(): ...

    getEndDate.convert = in_zone

    def getBookedRooms(): ...

    getBookedRooms.produce = lambda event: event
    getBookedRooms.convert = booked_rooms

    def support(): ...

    support.name = "supportInfo"
    support.result = ISupportInfoFossil

    def getAdjustedStartDate(): ...

    getAdjustedStartDate.produce = _adjusted("getStartDate")

    def getAdjustedEndDate(): ...

    getAdjustedEndDate.produce = _adjusted("getEndDate")


class IPlaceInWords(IFossil):
    """Where something is; empty texts where nothing is known."""

    def getLocation(): ...

    getLocation.convert = _or_empty

    def getRoom(): ...

    getRoom.convert = _or_empty

    def getRoomFullName(): ...

    getRoomFullName.name = "roomFullname"
    getRoomFullName.convert = _or_empty

    def getAddress(): ...

    getAddress.convert = _or_empty


class ISessionFossil(IPlaceInWords):
    """A session, inside the answer for its slot."""

    taggedValue("of", "export.model.session:Session")
    taggedValue("fossil", "session")

    def getId(): ...
    def getTitle(): ...
    def getDescription(): ...
    def getMaterialList(): ...

    getMaterialList.name = "material"
    getMaterialList.result = IMaterialFossil
    getMaterialList.filterBy = "access"

    def getNumSlots(): ...

    getNumSlots.produce = lambda session: len(session.slots)

    def color(): ...
    def text_color(): ...

    text_color.name = "textColor"

    def getStartDate(): ...

    getStartDate.convert = in_zone

    def getEndDate(): ...

    getEndDate.convert = in_zone

    def getConvenerList(): ...

    getConvenerList.name = "sessionConveners"
    getConvenerList.result = ISlotChairFossil

    def is_poster(): ...

    is_poster.name = "isPoster"

    def getURL(): ...

    getURL.name = "url"
    getURL.convert = absolute


class ISlotFields(IPlaceInWords, IPlacedFossil):
    """A slot of a session, with the session's documented fields."""

    taggedValue("of", "export.model.session:SessionSlot")

    def getModificationDate(): ...

    getModificationDate.produce = lambda slot: max(
        slot.getModificationDate(), slot.getSession().getModificationDate()
    )

    def getId(): ...

    getId.produce = lambda slot: f"{slot.getSession().getId()}-{slot.getId()}"

    def getTitle(): ...

    getTitle.produce = _slot_title

    def slotTitle(): ...  # noqa: N802

    slotTitle.produce = lambda slot: slot.getTitle()
    slotTitle.name = "slotTitle"

    def getDescription(): ...

    getDescription.produce = lambda slot: slot.getSession().getDescription()

    def getURL(): ...

    getURL.name = "url"
    getURL.produce = lambda slot: slot.getSession().getURL()
    getURL.convert = absolute

    def isPoster(): ...

    isPoster.produce = _of_session("is_poster")

    def getColor(): ...

    getColor.produce = _of_session("color")

    def getTextColor(): ...

    getTextColor.produce = _of_session("text_color")

    def getNumSlots(): ...

    getNumSlots.produce = lambda slot: len(slot.getSession().slots)

    def conveners(): ...

    conveners.result = ISlotChairFossil

    def getSessionConveners(): ...

    getSessionConveners.produce = lambda slot: slot.getSession().getConvenerList()
    getSessionConveners.result = ISlotChairFossil

    def getSession(): ...

    getSession.result = ISessionFossil

    def getConference(): ...

    getConference.produce = lambda slot: slot.getSession().getConference()
    getConference.result = IConferenceOfSlotFossil

    def inheritLoc(): ...  # noqa: N802

    inheritLoc.produce = lambda slot: slot.location is None
    inheritLoc.name = "inheritLoc"

    def inheritRoom(): ...  # noqa: N802

    inheritRoom.produce = lambda slot: slot.room is None
    inheritRoom.name = "inheritRoom"

    def getMaterialList(): ...

    getMaterialList.name = "material"
    getMaterialList.produce = lambda slot: slot.getSession().getMaterialList()
    getMaterialList.result = IMaterialFossil
    getMaterialList.filterBy = "access"


class ISessionSlotFossil(ISlotFields):
    """A slot inside an event."""

    taggedValue("fossil", "sessionMetadata")

    def getContributionList(): ...

    getContributionList.name = "contributions"
    getContributionList.result = IContributionWithSubContribsFossil
    getContributionList.filterBy = "access"


class ISlotWithContributionsFossil(ISlotFields):
    """A slot by itself; detail `contributions`."""

    taggedValue("fossil", "sessionMetadataWithContributions")

    def getContributionList(): ...

    getContributionList.name = "contributions"
    getContributionList.result = IContributionFossil
    getContributionList.filterBy = "access"


class ISlotWithSubContribsFossil(ISlotFields):
    """A slot by itself; detail `subcontributions`, which is what its field is called, too."""

    taggedValue("fossil", "sessionMetadataWithSubContribs")

    def getContributionList(): ...

    getContributionList.name = "subcontributions"
    getContributionList.result = IContributionWithSubContribsFossil
    getContributionList.filterBy = "access"
