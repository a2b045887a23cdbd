"""Slots as the command line tells them: START, END, and how they come back."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from export.errors import CatalogueException
from export.fossils.room import WEEKDAYS
from export.model.booking_slots import STEPS, Slots

WHEN = "as 2026-12-24 or 2026-12-24T18:00"


def add_slots(parser: ArgumentParser) -> None:
    """Add START and END, and the options of slots that come back."""
    for name in ("start", "end"):
        parser.add_argument(name, metavar=name.upper(), help=WHEN)
    parser.add_argument("--every", choices=[name for name in STEPS if name])
    parser.add_argument("--weekday", choices=WEEKDAYS, action="append", default=[])
    parser.add_argument("--last", metavar="DAY", help="the last day, of what comes back")


def slots_of(options: Namespace, zone: ZoneInfo, *, daily: bool = False) -> Slots:
    """Return the slots that *options* tell, by the clocks of *zone*.

    A booking without a repetition is one period, or, if *daily*, the same hours of each day.
    Raises CatalogueException.
    """
    try:
        start, end = _moment(options.start, time.min, zone), _moment(options.end, time.max, zone)
        if options.every is None:
            if options.weekday or options.last:
                raise ValueError("--weekday and --last are for what comes back: add --every")
            return Slots.spanning(start, end) if daily else Slots(start, end - start, start.date())
        if options.last is None:
            raise ValueError("--every needs --last DAY")
        days = frozenset(map(WEEKDAYS.index, options.weekday))
        last = date.fromisoformat(options.last)
        return Slots(start, end - start, last, options.every, weekdays=days)
    except ValueError as error:
        raise CatalogueException(f"{options.start} to {options.end}: {error}") from None


def _moment(text: str, edge: time, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(zone).replace(tzinfo=None)
    return moment if "T" in text else datetime.combine(moment.date(), edge)
