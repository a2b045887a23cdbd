"""A collection: the resources of one kind of objects, which an application registers.

    class Books(Collection):
        '''Books of the library.'''

        address = "/export/book"
        details = {"basic": IBookFossil, "full": IFullBookFossil}
        formats = ("json", "xml", "html", "atom", "ics")

        def members(self): return current().root()["books"].values()
        def find(self, id): return current().root()["books"].get(id)
        def allows(self, book, user): return book.is_lent is False or user is not None

    app = make_app(database, config, resources=[Books])

answers `/export/book.json` (all), `/export/book/1-2.json` (some by their ids) and
`/export/book/search/WORDS.json`, with the parameters that all lists have. `register(Books)` of
`export.registered` does the same for every application, the entry point group
`zodb_relay.resources` for every installation.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, tzinfo
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from persistent.TimeStamp import TimeStamp
from ZODB.utils import z64

from export.errors import ExportConfigurationException, UnknownResource
from export.formats import PLAIN
from export.http.listing import listed
from export.http.page import ORDERS
from export.http.parameter import Parameter
from export.http.question import SEPARATOR, Detail, Question
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED, MAXIMUM
from export.model.entry import natural
from export.resource import READ, Resource

EPOCH = datetime.fromtimestamp(0, UTC)
DATES = ("startDate", "endDate", "modificationDate")


class Collection(ABC):
    """Objects of one kind: where they are, how they are shown, and who may see them.

    HTML, Atom and iCalendar tell the fields `title`, `description`, `url`, `startDate`,
    `endDate`, `location`, `room` and `modificationDate` of the fossil, as far as it has them;
    what has no `startDate` is in no calendar. Calendars tell also its `timezone`, and a `status`
    that is confirmed, tentative or cancelled. The tag `name` gives a field such a name.
    """

    address: ClassVar[str]
    """Where the objects are, as `/export/book`."""

    details: ClassVar[Mapping[str, Any]]
    """The fossil of each detail level, the usual one first."""

    formats: ClassVar[tuple[str, ...]] = ("json", "jsonp", "xml")
    """Of json, jsonp, xml, html, atom and ics those that are served."""

    parameters: ClassVar[tuple[Parameter, ...]] = ()
    """Further parameters; an object has to be accepted by each that is sent."""

    limits: ClassVar[Mapping[str, int]] = {}
    """How many objects an answer has at most, by detail levels; 1,000 without."""

    scopes: ClassVar[AbstractSet[str]] = READ
    """The scopes of which a token needs one."""

    @abstractmethod
    def members(self) -> Iterable[Any]:
        """Return all objects, in their usual order; they are those of the current connection."""

    @abstractmethod
    def find(self, id: str) -> Any:
        """Return the object with that id, or None."""

    def allows(self, obj: Any, user: str | None) -> bool:
        """Return whether *user*, None for somebody unknown, may see *obj*.

        Without a rule of its own, the object's `canAccess(user)` decides; an object without it
        is shown to nobody.
        """
        return hasattr(obj, "canAccess") and bool(obj.canAccess(user))

    def starts(self, obj: Any) -> date | None:
        """Return when *obj* begins, for `from`, `to` and `order=start`; None for no such date."""
        start: date | None = obj.getStartDate() if hasattr(obj, "getStartDate") else None
        return start

    def identify(self, obj: Any) -> str:
        """Return the id of *obj*: that of `getId()`, else `id`."""
        return str(obj.getId() if hasattr(obj, "getId") else obj.id)

    def text(self, obj: Any) -> str:
        """Return the words by which *obj* is found: those of `getTitle()`, else `title`."""
        return str(obj.getTitle() if hasattr(obj, "getTitle") else getattr(obj, "title", ""))

    def search(self, term: str) -> Iterable[Any]:
        """Return the objects that have every word of *term* in their text, whatever the case."""
        words = term.casefold().split()
        return (
            obj for obj in self.members() if all(map(self.text(obj).casefold().__contains__, words))
        )

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Its resources: all objects, those that a search finds, and those with some ids.

        Raises ExportConfigurationException for an address that is none of the export.
        """
        if not self.address.startswith("/export/"):
            raise ExportConfigurationException(
                f"the address of {type(self).__name__} is {self.address!r}: it must begin with "
                "/export/"
            )
        return (
            self._resource("", "", self._all, "All of them."),
            self._resource("_search", "/search/<id:term>", self._found, "Those with some words."),
            self._resource("_by_id", "/<id:idlist>", self._named, "Some of them by their ids."),
        )

    def _resource(
        self, name: str, more: str, answer: Callable[[Question], ResultPage], meaning: str
    ) -> Resource:
        own = self.address.strip("/").removeprefix("export/").replace("/", "_")
        return Resource(
            f"{own}{name}",
            (f"{self.address}{more}.<word:format>",),
            answer,
            self.scopes,
            self.formats,
            details={
                level: Detail(fossil, self.limits.get(level, MAXIMUM))
                for level, fossil in self.details.items()
            },
            parameters=(*LISTED, *(IN_CALENDAR if "ics" in self.formats else ()), *self.parameters),
            meaning=f"{inspect.getdoc(type(self)) or ''}\n\n{meaning}".strip(),
        )

    def _all(self, question: Question) -> ResultPage:
        return self._page(lambda _: self.members(), question)

    def _found(self, question: Question) -> ResultPage:
        return self._page(lambda asked: self.search(asked.arguments["term"]), question)

    def _named(self, question: Question) -> ResultPage:
        """Return the objects with some ids; a single one that is not there is unknown."""
        return self._page(self._with_ids, question)

    def _with_ids(self, question: Question) -> Iterator[Any]:
        text = question.arguments["idlist"]
        whole = self.find(text)
        ids = [text] if whole is not None else list(dict.fromkeys(SEPARATOR.split(text)))
        found = [obj for obj in map(self.find, ids) if obj is not None]
        if len(ids) == 1 and not (found and self._lets(question, found[0])):
            raise UnknownResource(f"There is nothing with the id {text} at {self.address}")
        return iter(found)

    def _page(self, find: Callable[[Question], Iterable[Any]], question: Question) -> ResultPage:
        return listed(
            question,
            lambda asked: self._accepted(find(asked), asked),
            lambda asked: lambda obj: self._show(obj, asked),
            self._orders,
            self.identify,
        ).page()

    def _lets(self, question: Question, obj: Any) -> bool:
        return question.view.allows(obj, lambda one: self.allows(one, question.user))

    def _accepted(self, objects: Iterable[Any], question: Question) -> Iterator[Any]:
        wanted = [
            (each.accepts, value)
            for each in self.parameters
            if each.accepts is not None and (value := each.of(question.request))
        ]
        for obj in objects:
            is_wanted = all(accepts(obj, value) for accepts, value in wanted)
            if is_wanted and self._is_within(obj, question) and self._lets(question, obj):
                yield obj

    def _is_within(self, obj: Any, question: Question) -> bool:
        """Say whether the start of *obj*, if it has one, is in the time that is asked for."""
        asked = question.selection
        start = _moment(self.starts(obj), asked.tz)
        if start is None:
            return True
        is_early = asked.start is not None and start < asked.start
        return not is_early and not (asked.end is not None and start > asked.end)

    @cached_property
    def _orders(self) -> Mapping[str, Callable[[Any], Any]]:
        own = {
            "id": lambda obj: natural(self.identify(obj)),
            "title": self.text,
            "start": lambda obj: _moment(self.starts(obj), UTC),
        }
        return {**ORDERS, **own}

    def _show(self, obj: Any, question: Question) -> dict[str, Any]:
        shown: dict[str, Any] = question.view.show(obj, question.fossil, False)
        if question.arguments["format"] in PLAIN:
            return {**shown, "id": shown.get("id", self.identify(obj))}
        path = f"{self.address}/{quote(self.identify(obj), safe='')}"
        entry = {
            **{"id": self.identify(obj), "title": self.text(obj), "description": "", "path": path},
            **{"url": f"{question.settings.base_url}{path}.json", "location": "", "room": ""},
            **{"category": "", "startDate": None, "endDate": None},
            **{"modificationDate": _changed(obj), **shown},
        }
        zone = question.selection.tz
        return entry | {name: _moment(entry[name], zone) for name in DATES}


def _moment(value: Any, zone: tzinfo) -> Any:
    """Return *value*, if it is a day or a time without a zone, as a time in *zone*."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=zone)
    return datetime.combine(value, time(), zone) if isinstance(value, date) else value


def _changed(obj: Any) -> datetime:
    """Return when *obj* was stored last; the beginning of 1970 for what was never stored."""
    serial = getattr(obj, "_p_serial", None)
    if not serial or serial == z64:
        return EPOCH
    return datetime.fromtimestamp(TimeStamp(serial).timeTime(), UTC)
