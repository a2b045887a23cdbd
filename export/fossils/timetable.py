"""Fossils of the entries of a timetable (reference 5.3.3)."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from typing import Any

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.material import IMaterialFossil
from export.fossils.person import IConvenerFossil, IPresenterFossil
from export.model.local_time import in_zone

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102, RUF012

DEFAULT_LENGTH = 20
"""Minutes of a contribution in a slot that says nothing else."""


def in_parts(moment: Any, tz: tzinfo) -> dict[str, str]:
    """Return *moment* in words, whatever the format of the answer."""
    local = in_zone(moment, tz)
    return {"date": local.date().isoformat(), "time": f"{local:%H:%M:%S}", "tz": str(tz)}


def by_key(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return *entries* by their ids."""
    return {entry["id"]: entry for entry in entries}


def _of(getter: str, default: Any = None) -> Any:
    def produce(entry: Any) -> Any:
        value = getattr(entry.of, getter)()
        return default if value is None else value

    return produce


def _session_id(entry: Any) -> str | None:
    return entry.slot.getSession().getId() if entry.slot is not None else None


def _slot_id(entry: Any) -> str | None:
    return entry.slot.getId() if entry.slot is not None else None


def _event_id(entry: Any) -> Any:
    owner = entry.of.getOwner()
    while not hasattr(owner, "getContributionById"):
        owner = owner.getOwner()
    return owner.getId()


def _pdf(entry: Any) -> str:
    return f"/event/{_event_id(entry)}/timetable/timetable.pdf?id={entry.key}"


def _minutes(entry: Any) -> int:
    length: timedelta = entry.of.getEndDate() - entry.of.getStartDate()
    return int(length.total_seconds() // 60)


class IEntryFields(IFossil):
    """The fields of all entries."""

    def getId(): ...

    getId.produce = lambda entry: entry.key

    def getTitle(): ...

    getTitle.produce = _of("getTitle")

    def getDescription(): ...

    getDescription.produce = _of("getDescription")

    def getConferenceId(): ...

    getConferenceId.produce = _event_id

    def getStartDate(): ...

    getStartDate.produce = _of("getStartDate")
    getStartDate.convert = in_parts

    def getEndDate(): ...

    getEndDate.produce = _of("getEndDate")
    getEndDate.convert = in_parts

    def getRoom(): ...

    getRoom.produce = _of("getRoom", "")

    def getLocation(): ...

    getLocation.produce = _of("getLocation", "")

    def getSessionId(): ...

    getSessionId.produce = _session_id

    def getSessionSlotId(): ...

    getSessionSlotId.produce = _slot_id

    def getSessionCode(): ...

    getSessionCode.produce = _session_id


class IContribSchEntryFossil(IEntryFields):
    """A contribution in a timetable."""

    taggedValue("fossil", "contribSchEntryDisplay")

    def getEntryType(): ...

    getEntryType.produce = lambda _entry: "Contribution"

    def getUniqueId(): ...

    getUniqueId.produce = lambda entry: f"a{_event_id(entry)}t{entry.of.getId()}"

    def getContributionId(): ...

    getContributionId.produce = _of("getId")

    def getURL(): ...

    getURL.produce = _of("getURL")
    getURL.convert = absolute
    getURL.name = "url"

    def getPdf(): ...

    getPdf.produce = _pdf
    getPdf.convert = absolute

    def getMaterial(): ...

    getMaterial.produce = _of("getMaterialList")
    getMaterial.result = IMaterialFossil
    getMaterial.filterBy = "access"

    def getPresenters(): ...

    getPresenters.produce = _of("getSpeakerList")
    getPresenters.result = IPresenterFossil


class IBreakTimeSchEntryFossil(IEntryFields):
    """A break in a timetable."""

    taggedValue("fossil", "breakTimeSchEntry")

    def getEntryType(): ...

    getEntryType.produce = lambda _entry: "Break"

    def getDuration(): ...

    getDuration.produce = _minutes

    def getColor(): ...

    getColor.produce = lambda entry: entry.of.color

    def getTextColor(): ...

    getTextColor.produce = lambda entry: entry.of.text_color


class ILinkedTimeSchEntryFossil(IEntryFields):
    """A slot in a timetable, with its own entries."""

    taggedValue("fossil", "linkedTimeSchEntryDisplay")

    def getEntryType(): ...

    getEntryType.produce = lambda _entry: "Session"

    def getUniqueId(): ...

    getUniqueId.produce = lambda entry: f"a{_event_id(entry)}s{entry.of.getSession().getId()}"

    def getTitle(): ...

    getTitle.produce = lambda entry: entry.of.getSession().getTitle()

    def getDescription(): ...

    getDescription.produce = lambda entry: entry.of.getSession().getDescription()

    def getSlotTitle(): ...

    getSlotTitle.produce = _of("getTitle")

    def getSessionId(): ...

    getSessionId.produce = lambda entry: entry.of.getSession().getId()

    def getSessionSlotId(): ...

    getSessionSlotId.produce = _of("getId")

    def getSessionCode(): ...

    getSessionCode.produce = lambda entry: entry.of.getSession().getId()

    def getDuration(): ...

    getDuration.produce = _minutes

    def getContribDuration(): ...

    getContribDuration.produce = lambda _entry: DEFAULT_LENGTH

    def getIsPoster(): ...

    getIsPoster.produce = lambda entry: entry.of.getSession().is_poster

    def getColor(): ...

    getColor.produce = lambda entry: entry.of.getSession().color

    def getTextColor(): ...

    getTextColor.produce = lambda entry: entry.of.getSession().text_color

    def getInheritRoom(): ...

    getInheritRoom.produce = lambda entry: entry.of.room is None

    def getInheritLoc(): ...

    getInheritLoc.produce = lambda entry: entry.of.location is None

    def getURL(): ...

    getURL.produce = lambda entry: entry.of.getSession().getURL()
    getURL.convert = absolute
    getURL.name = "url"

    def getPdf(): ...

    getPdf.produce = _pdf
    getPdf.convert = absolute

    def getMaterial(): ...

    getMaterial.produce = lambda entry: entry.of.getSession().getMaterialList()
    getMaterial.result = IMaterialFossil
    getMaterial.filterBy = "access"

    def getConveners(): ...

    getConveners.produce = lambda entry: entry.of.conveners
    getConveners.result = IConvenerFossil

    def entries(): ...

    entries.result = {
        "ContribSchEntry": IContribSchEntryFossil,
        "BreakTimeSchEntry": IBreakTimeSchEntryFossil,
    }
    entries.convert = by_key


ENTRY_FOSSILS = {
    "ContribSchEntry": IContribSchEntryFossil,
    "BreakTimeSchEntry": IBreakTimeSchEntryFossil,
    "LinkedTimeSchEntry": ILinkedTimeSchEntryFossil,
}
