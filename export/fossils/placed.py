"""Members that all fossils of objects with a time and a place share."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.allowed import allowed
from export.fossils.calendar_entry import entry_of_placed
from export.fossils.material import IFolderFossil, IMaterialFossil
from export.model import local_time

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def in_zone(moment: datetime | None, tz: tzinfo | None = None) -> datetime | None:
    """Return *moment* as the clocks of *tz* show it."""
    return local_time.in_zone(moment, tz) if moment is not None and tz is not None else moment


def minutes(duration: timedelta) -> int | None:
    """Return whole minutes; None for no time at all."""
    return int(duration.total_seconds() // 60) if duration else None


class IPlacedFossil(IFossil):
    """Fields of everything that has a time and a place."""

    def getId(): ...
    def getTitle(): ...
    def getDescription(): ...
    def getStartDate(): ...

    getStartDate.convert = in_zone

    def getEndDate(): ...

    getEndDate.convert = in_zone

    def getLocation(): ...
    def getRoom(): ...
    def getRoomFullName(): ...

    getRoomFullName.name = "roomFullname"

    def getURL(): ...

    getURL.name = "url"
    getURL.convert = absolute

    def getMaterialList(): ...

    getMaterialList.name = "material"
    getMaterialList.result = IMaterialFossil
    getMaterialList.filterBy = "access"

    def folders(): ...

    folders.result = IFolderFossil
    folders.filterBy = "access"

    def getAllowed(): ...

    getAllowed.produce = allowed
    getAllowed.onlyIf = "canModify"

    def calendarEntry(): ...  # noqa: N802

    calendarEntry.name = "calendarEntry"
    calendarEntry.produce = lambda placed: placed
    calendarEntry.convert = entry_of_placed
    calendarEntry.onlyIf = "inCalendar"


class IPeriodFossil(IFossil):
    """A stretch of time."""

    taggedValue("of", "export.model.conference:Period")
    taggedValue("fossil", "period")

    def startDT(): ...  # noqa: N802

    startDT.convert = in_zone

    def endDT(): ...  # noqa: N802

    endDT.convert = in_zone
