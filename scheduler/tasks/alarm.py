"""The reminder of an event."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, Self
from zoneinfo import ZoneInfo

from persistent import Persistent

from scheduler.clock import later, nowutc, stamp
from scheduler.inbox.spool import DELETE, spool_of
from scheduler.store import connection_of
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.mail import SendMailTask
from scheduler.tasks.retry import TaskDelayed


class Event(Protocol):
    """The methods that an event must have.

    Where it has them, these are used too: `is_listed()`, whether it is still there; `timezone`,
    `getRoom()`, `getLocation()`, `getAddress()`, `getURL()`; `getParticipants()`, users with a
    `getEmail()`; `getContributionList()`, with the same methods as an event.
    """

    def getId(self) -> str:
        """Return the identifier."""

    def getTitle(self) -> str:
        """Return the title."""

    def getStartDate(self) -> datetime | None:
        """Return when it begins, as an aware datetime."""


# The attributes that the clone of an alarm has as well, beside those of its constructor.
CLONED = ("fromAddr", "_to", "_cc", "_users", "_note", "_to_all", "_with_summary")


class AlarmTask(FollowingTask, SendMailTask):
    """Reminds people of the event *conf* by mail, at a date or some time before the event.

    *relative* is the time before its beginning: `timedelta(hours=1)`. The alarm moves with the
    event, and rests while that is not listed: whoever changes an event calls
    `Client.follow(event)`, those of the catalogue do so themselves. Of an event that is gone or
    has begun nobody is reminded. ValueError where neither *startDateTime* nor *relative* is
    given, or for *relative* without an event that has a date.
    """

    _relative: timedelta | None = None

    def __init__(
        self,
        conf: Event,
        confRelId: int,
        startDateTime: datetime | None = None,
        relative: timedelta | None = None,
    ) -> None:
        self.conf = conf
        self._conf_rel_id = confRelId
        if relative is not None:
            self._relative = relative
        elif startDateTime is None:
            raise ValueError("an alarm needs startDateTime, or relative: the time before the event")
        SendMailTask.__init__(self, startDateTime or self._before_event())
        self._note = ""
        self._to_all = self._with_summary = False
        self.setUpSubject()

    def getConference(self) -> Any:
        """Return the event."""
        return self.conf

    def getConfRelativeId(self) -> int:
        """Return the alarm's number among those of the event."""
        return self._conf_rel_id

    def getStartOn(self) -> datetime:
        """Return when people are to be reminded, in UTC."""
        is_movable = self._relative is not None and self.conf.getStartDate() is not None
        return self._before_event() if is_movable else super().getStartOn()

    def _wanted_on(self) -> float | None:
        """Return when people are to be reminded, since 1970; None of an event that is gone."""
        is_gone = _ask(self.conf, "is_listed") is False
        return None if is_gone else stamp(self.getStartOn())

    def _followed(self) -> Any:
        # An event that is no stored object announces no changes.
        return self.conf if isinstance(self.conf, Persistent) else self

    def setRelative(self, relative: timedelta | None) -> None:
        """Set the time before the event; None for the date that was given."""
        self._relative = relative

    def getTimeBefore(self) -> timedelta | None:
        """Return the time before the event; None for an alarm with a date of its own."""
        return self._relative

    def setToAllParticipants(self, toAll: bool = True) -> None:
        """Set whether all participants are reminded."""
        self._to_all = toAll

    def getToAllParticipants(self) -> bool:
        """Say whether all participants are reminded."""
        return self._to_all

    def setNote(self, note: str) -> None:
        """Set the text that is added."""
        self._note = note

    def getNote(self) -> str:
        """Return the text that is added."""
        return self._note

    def setConfSummary(self, summary: bool = True) -> None:
        """Set whether the event's programme is added."""
        self._with_summary = summary

    def getConfSummary(self) -> bool:
        """Say whether the event's programme is added."""
        return self._with_summary

    def setUpSubject(self) -> None:
        """Set the subject to the event's title and date."""
        title = " ".join(self.conf.getTitle().split())
        self.setSubject(f"Reminder: {title} ({self._when()})")

    def getLocator(self) -> dict[str, str]:
        """Return what leads to the alarm: `confId` and `alarmId`."""
        return {"confId": self.conf.getId(), "alarmId": str(self._conf_rel_id)}

    def canAccess(self, aw: Any) -> bool:
        """Say whether *aw*, whatever the event's own method takes, may see the alarm."""
        return bool(_ask(self.conf, "canAccess", aw))

    def canModify(self, aw: Any) -> bool:
        """Say whether *aw*, whatever the event's own method takes, may change the alarm."""
        return bool(_ask(self.conf, "canModify", aw))

    def clone(self, conf: Event) -> Self:
        """Return a new alarm for another event, with the same time, texts and recipients."""
        start = None if self._relative is not None else super().getStartOn()
        alarm = type(self)(conf, self._conf_rel_id, start, self._relative)
        for name in CLONED:
            setattr(alarm, name, getattr(self, name))
        return alarm

    def delete(self) -> None:
        """Take the alarm, if it was enqueued, out of the queue, in the caller's transaction."""
        if self._p_oid is not None:
            spool_of(connection_of(self)).put(DELETE, self)

    def _prepare(self, check: bool) -> bool:
        if check and not self._is_to_come():
            return False
        self.setUpSubject()
        self.setText("\n".join(self._lines()))
        return True

    def _is_to_come(self) -> bool:
        start = self.conf.getStartDate()
        if _ask(self.conf, "is_listed") is False:
            self.getLogger().info("the event is gone: nobody is reminded")
            return False
        if start is None or start <= nowutc():
            self.getLogger().info("the event has begun: nobody is reminded")
            return False
        early = (self.getStartOn() - nowutc()).total_seconds()
        if early > 1:
            raise TaskDelayed(early)  # the event was moved to a later date
        return True

    def _recipients(self) -> list[str]:
        everybody = _ask(self.conf, "getParticipants") or () if self._to_all else ()
        return [*super()._recipients(), *(user.getEmail() for user in everybody)]

    def _lines(self) -> Iterable[str]:
        yield f"Hello,\n\nthis is a reminder of {self.conf.getTitle()}.\n"
        yield f"It begins on {self._when()}."
        place = [_ask(self.conf, name) for name in ("getRoom", "getLocation", "getAddress")]
        if any(place):
            yield f"Place: {', '.join(filter(None, place))}"
        url = _ask(self.conf, "getURL")
        if url:
            yield f"More about it: {url}"
        if self._note:
            yield f"\n{self._note}"
        if self._with_summary:
            yield from self._programme()

    def _programme(self) -> Iterable[str]:
        yield "\nProgramme:"
        parts = _ask(self.conf, "getContributionList") or ()
        for part in sorted(filter(_is_dated, parts), key=lambda part: part.getStartDate()):
            yield f"  {part.getStartDate().astimezone(self._zone()):%d %B %H:%M}  {part.getTitle()}"

    def _when(self) -> str:
        start = self.conf.getStartDate()
        if start is None:
            return "a date to be told"
        zone = self._zone()
        return f"{start.astimezone(zone):%d %B %Y at %H:%M} ({zone})"

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(getattr(self.conf, "timezone", None) or "UTC")

    def _before_event(self) -> datetime:
        start = self.conf.getStartDate()
        if start is None or self._relative is None:
            raise ValueError("the event has no date that an alarm could be relative to")
        return later(start, -self._relative.total_seconds())


def _is_dated(part: Any) -> bool:
    return part.getStartDate() is not None


def _ask(event: Any, name: str, *arguments: Any) -> Any:
    """Return what the event's method *name* says; None where it has none."""
    method = getattr(event, name, None)
    return None if method is None else method(*arguments)
