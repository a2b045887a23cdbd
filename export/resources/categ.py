"""Events of categories: `/export/categ/ID[-ID...]` (reference 5.3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from export.fossils.category import ICategoryFossil, ICategoryProtectedFossil
from export.fossils.conference import listed_up_to
from export.http.listing import listed
from export.http.parameter import Parameter
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED
from export.http.view import View
from export.model.catalogue import Catalogue, catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.local_time import in_zone
from export.people.user import users
from export.resource import Resource
from export.resources.event import DETAILS, FORMATS, OCCURRENCES, shows_events

FAVORITES = "favorites"
ALIASES = {"lecture": "simple_event"}
LOCATION = Parameter("location", "The location, with * and ? for any characters.", ("l",))
ROOM = Parameter("room", "The room, with * and ? for any characters.", ("r",))
TYPE = Parameter("type", "The type: lecture, meeting or conference.", ("T",))


def answer(question: Question) -> ResultPage:
    """Return the events in and below some categories; `favorites` are those of the caller."""
    view = question.view
    categories: dict[str, Category] = {}

    def note(event: Conference) -> None:
        categories.setdefault(event.getOwner().getId(), event.getOwner())

    return listed(question, _named, shows_events).page(
        note,
        lambda: {
            "eventCategories": _paths(categories, view),
            "moreFutureEvents": _has_later(catalogue(), question.ids(), view),
        },
    )


def _named(question: Question) -> Iterator[Conference]:
    wanted = dict.fromkeys(one for name in question.ids() for one in _resolved(name, question.user))
    return _events(catalogue(), wanted, question.view, _filters(question.request))


def matches(value: str | None, wildcards: str) -> bool:
    """Say whether the whole of *value* matches the shell pattern, whatever the case."""
    return value is not None and fnmatchcase(value.casefold(), wildcards.casefold())


def _resolved(name: str, user: str | None) -> tuple[str, ...]:
    if name != FAVORITES:
        return (name,)
    known = users().find(user) if user is not None else None
    return known.favorites if known is not None else ()


def _filters(request: ExportRequest) -> list[Callable[[Conference], bool]]:
    location, room, kind = LOCATION.of(request), ROOM.of(request), TYPE.of(request)
    filters: list[Callable[[Conference], bool]] = []
    if location:
        filters.append(lambda event: matches(event.getLocation(), location))
    if room:
        filters.append(
            lambda event: matches(event.getRoom(), room) or matches(event.getRoomFullName(), room)
        )
    if kind:
        filters.append(lambda event: event.getType() == ALIASES.get(kind, kind))
    return filters


def _events(
    found: Catalogue,
    categories: Iterable[str],
    view: View,
    filters: list[Callable[[Conference], bool]],
) -> Iterator[Conference]:
    seen = set()
    for category_id in categories:
        for event_id in found.index.between(category_id, view.selection.start, view.selection.end):
            event = found.event(event_id)
            if event is None or event_id in seen or not all(accepts(event) for accepts in filters):
                continue
            seen.add(event_id)
            if view.shows(event):
                yield event


def _has_later(found: Catalogue, categories: list[str], view: View) -> bool:
    """Say whether the caller would see events that begin on a day after the last one asked for."""
    end, zone = view.selection.end, view.selection.tz
    if end is None:
        return False
    last = in_zone(end, zone).date()
    return any(
        event.getStartDate() is not None and in_zone(event.getStartDate(), zone).date() > last
        for category_id in categories
        for event in _visible(found, category_id, view)
    )


def _visible(found: Catalogue, category_id: str, view: View) -> Iterator[Any]:
    for event_id in found.index.between(category_id, view.selection.end, None):
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


def _paths(categories: Mapping[str, Category], view: View) -> list[dict[str, Any]]:
    return [
        {
            "_type": "CategoryPath",
            "categoryId": category_id,
            "path": [
                *_shown_path(category, view),
                {"visibility": {"name": _visibility(category, view)}},
            ],
        }
        for category_id, category in categories.items()
    ]


def _visibility(category: Category, view: View) -> str | None:
    path = category.getCategoryPath()
    return listed_up_to(category.visibility, path, view.filters)["name"]


def _shown_path(category: Category, view: View) -> list[dict[str, Any]]:
    return [
        view.show(one, ICategoryFossil if view.shows(one) else ICategoryProtectedFossil)
        for one in reversed(category.getCategoryPath())
    ]


RESOURCE = Resource(
    "category_events",
    ("/export/categ/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR, LOCATION, ROOM, TYPE, OCCURRENCES),
)
