"""The query: the tasks that a list is about, as the address of the page says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from scheduler.clock import nowutc
from scheduler.shelves.task_filter import TaskFilter
from scheduler.states import STATES

FIELDS = ("q", "state", "queue", "since", "until", "text", "origin")
WORDS = {"q": "name", "text": "error", "origin": "enqueued by"}
LONGEST = 200
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class TaskQuery:
    """The criteria as they were given, and the filter that they make up."""

    given: Mapping[str, str]
    """The parameters that were given and are not empty, by FIELDS."""

    faults: Mapping[str, str]
    """The faults of what was given, by FIELDS: with any, the filter is not to be used."""

    filter: TaskFilter
    number: int | None = None
    """The number of the one task that is meant."""

    @classmethod
    def of(cls, given: MultiDict[str, str]) -> TaskQuery:
        """Return the query that the parameters of an address ask."""
        known = {name: given.get(name, "").strip()[:LONGEST] for name in FIELDS}
        known = {name: value for name, value in known.items() if value}
        faults: dict[str, str] = {}
        state = known.get("state")
        if state is not None and state not in STATES:
            faults["state"] = f"There is no state {state!r}"
            state = None
        since, until = (_date(name, known, faults) for name in ("since", "until"))
        name = known.get("q")
        is_number = name is not None and name.isascii() and name.isdigit()
        chosen = TaskFilter(
            name=None if name is None else _pattern(name),
            state=state,
            queue=known.get("queue"),
            since=since,
            until=until,
            text=known.get("text"),
            origin=known.get("origin"),
        )
        return cls(known, faults, chosen, int(name) if is_number and name else None)

    def address(self, path: str = "/tasks", **more: str | None) -> str:
        """Return the address of *path* with these criteria, some of them replaced."""
        values = {**self.given, **more}
        chosen = {name: value for name, value in values.items() if value}
        return f"{path}?{_encoded(chosen)}" if chosen else path

    def words(self) -> str:
        """Return the criteria for people; empty if there are none."""
        return words_of(self.given)


def words_of(criteria: Mapping[str, object]) -> str:
    """Return *criteria* of a query or a filter for people."""
    return ", ".join(f"{WORDS.get(name, name)} {value}" for name, value in criteria.items())


def _encoded(values: Mapping[str, str]) -> str:
    return urlencode(values, errors="surrogatepass")


def _pattern(name: str) -> str:
    """Return *name* as a part of one, so that who knows a part finds it."""
    return name if "*" in name else f"*{name}*"


def _date(name: str, known: Mapping[str, str], faults: dict[str, str]) -> datetime | None:
    """Return a date: ISO 8601, in UTC unless it has a zone, or how long ago, such as 2h or 3d."""
    text = known.get(name)
    if text is None:
        return None
    try:
        return _ago(text) or _absolute(text)
    except (ValueError, OverflowError):
        faults[name] = f"{text!r} is no date: write 2026-11-30 14:00 (UTC), or 2h, 3d for ago"
        return None


def _ago(text: str) -> datetime | None:
    number, unit = text[:-1], UNITS.get(text[-1])
    if unit is None or not (number.isascii() and number.isdigit()):
        return None
    return nowutc() - timedelta(**{unit: int(number)})


def _absolute(text: str) -> datetime:
    date = datetime.fromisoformat(text)
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
