"""A listing: the objects that a question asks for, or what has become of them since a position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from ZODB.Connection import Connection
from ZODB.utils import p64, z64

from export.errors import RefusedRequest, UnknownResource
from export.http.page import ORDERS, Orders, cut
from export.http.past import Past
from export.http.question import Question
from export.http.result import Rest, ResultPage
from scheduler.storage.internals import cache_of
from scheduler.store import current, using
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_set import drop_states, mark, read_since

log = logging.getLogger(__name__)

UNSHOWABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors that showing an object raises because of its content."""

LOOKED_AT = 1000
"""How many objects are compared for one page, changed or not."""

BATCH = 50

HELD = 2500
"""About how many objects an answer tells that is held in memory as a whole."""

LOADED = 2500
"""How many objects stay loaded of those that were needed for many others."""

Item = TypeVar("Item")
Shown: TypeAlias = dict[str, Any]
Members: TypeAlias = Callable[[Question], Iterable[Any]]
Show: TypeAlias = Callable[[Question], Callable[[Any], Shown]]
"""Returns what shows one object to somebody who asks a question."""


@dataclass(frozen=True)
class Listing:
    """Some objects, and how they are shown; `following` as ResultPage has it."""

    shown: Iterator[tuple[Any, Shown]]
    complete: bool
    following: Mapping[str, Any] | None = None
    vanished: list[Shown] | None = None

    def page(
        self,
        note: Callable[[Any], object] = lambda obj: None,
        info: Callable[[], dict[str, Any]] = dict,
    ) -> ResultPage:
        """Return the answer with *info* beside it, before which *note* hears of each object.

        Objects that are too many to be held are found as they are sent.
        """
        first, size = [], 0
        for obj, shown in self.shown:
            note(obj)
            first.append(shown)
            size += _count(shown)
            if size > HELD and self.vanished is None:
                rest = Rest(self._rest(note), info)
                return ResultPage(first, self.complete, {}, self.following, self.vanished, rest)
        return ResultPage(first, self.complete, info(), self.following, self.vanished)

    def _rest(self, note: Callable[[Any], object]) -> Iterator[Shown]:
        for obj, shown in _spared(self.shown):
            note(obj)
            yield shown


def listed(
    question: Question,
    members: Members,
    show: Show,
    orders: Orders = ORDERS,
    identify: Callable[[Any], Hashable] = lambda obj: str(obj.getId()),
) -> Listing:
    """Return the *members* that *question* asks for, as *show* shows them.

    With `since` they are those that changed, and what vanished is told beside them: all that the
    caller would be told otherwise, or not any more. *identify* tells members apart.

    An object with something in it that cannot be shown is left out, which is logged, so that it
    does not take others with it; where nothing can be shown, its error is raised.
    """
    if question.past is not None and question.past.before is not None:
        return _Comparison(question, question.past, question.past.before, members, show).listing(
            identify
        )
    page = cut(_spared(members(question)), question.selection, orders)
    following = None if page.following is None else {"offset": page.following}
    return Listing(_shown(page.members, show(question)), page.complete, following)


def _count(shown: Shown) -> int:
    """Return how many objects *shown* tells of."""
    return 1 + sum(
        _count(each)
        for value in shown.values()
        if isinstance(value, list)
        for each in value
        if isinstance(each, dict)
    )


def _spared(items: Iterable[Item]) -> Iterator[Item]:
    """Yield *items*; what was loaded for them is let go where it has become too much."""
    connection = current()
    cache = cache_of(connection)
    for each in items:
        yield each
        if cache.cache_non_ghost_count > 2 * LOADED:
            drop_states(connection, LOADED)


def _shown(members: Iterable[Any], show: Callable[[Any], Shown]) -> Iterator[tuple[Any, Shown]]:
    failed: Exception | None = None
    is_empty = True
    for obj in members:
        try:
            shown = show(obj)
        except UNSHOWABLE as error:
            log.exception("%r left out of an answer", obj)
            failed = failed or error
        else:
            is_empty = False
            yield obj, shown
    if is_empty and failed is not None:
        raise failed


class _Comparison:
    """The comparison of what a question shows with what it showed in the state *before*.

    A page goes through some members, those that were shown of objects without a later change are
    not compared. On the last page stands what vanished; where no object was changed by which the
    members were found, nothing has.
    """

    def __init__(
        self, question: Question, past: Past, before: Connection, members: Members, show: Show
    ) -> None:
        self._question = question
        self._earlier = replace(question, past=None)
        self._past = past
        self._before = before
        self._members = members
        self._show = show

    def listing(self, identify: Callable[[Any], Any]) -> Listing:
        self._identify = identify
        if self._past.before_tid == snapshot_of(self._past.shown):
            return Listing(iter(()), complete=True, vanished=[])
        start, is_touched = divmod(self._past.cursor, 2)
        self._place, self._touched, self._is_over = start, bool(is_touched), False
        found: list[tuple[Any, Shown]] = []
        members = islice(self._present_members(), start, None)
        limit = self._question.selection.limit
        while len(found) < limit and self._place - start < LOOKED_AT and not self._is_over:
            self._compare_some(members, found, limit)
        following = None if self._is_over else {"cursor": 2 * self._place + self._touched}
        vanished = list(self._vanished()) if self._is_over and self._touched else []
        return Listing(iter(found), self._is_over, following, vanished)

    def _compare_some(
        self, members: Iterator[Any], found: list[tuple[Any, Shown]], limit: int
    ) -> None:
        past = self._past
        if past.marker is not None:
            mark(past.shown, past.marker)
        batch = [(obj, self._told(obj, self._show_now)) for obj in islice(members, BATCH)]
        read = None if past.marker is None else read_since(past.shown, past.marker)
        if read is None or max(read.values(), default=z64) > p64(past.before_tid):
            self._touched = True
        else:
            batch = [(obj, None) for obj, _ in batch]
        for obj, shown in batch:
            if len(found) == limit:
                return
            self._place += 1
            if shown is not None and shown != self._told_before(self._identify(obj)):
                found.append((obj, shown))
        self._is_over = len(batch) < BATCH

    def _present_members(self) -> Iterator[Any]:
        try:
            yield from self._members(self._question)
        except (UnknownResource, RefusedRequest):
            if not self._known_before:
                raise
            self._touched = True  # it is all gone

    @cached_property
    def _known_before(self) -> dict[Any, Any]:
        with using(self._before):
            try:
                return {self._identify(obj): obj for obj in self._members(self._earlier)}
            except (UnknownResource, RefusedRequest):
                return {}

    def _told_before(self, key: Any) -> Shown | None:
        obj = self._known_before.get(key)
        if obj is None:
            return None
        with using(self._before):
            return self._told(obj, self._show_before)

    def _vanished(self) -> Iterator[Shown]:
        present = {self._identify(obj) for obj in self._present_members()}
        for key in self._known_before:
            shown = None if key in present else self._told_before(key)
            if shown is not None:
                yield shown

    @cached_property
    def _show_now(self) -> Callable[[Any], Shown]:
        return self._show(self._question)

    @cached_property
    def _show_before(self) -> Callable[[Any], Shown]:
        return self._show(self._earlier)

    def _told(self, obj: Any, show: Callable[[Any], Shown]) -> Shown | None:
        try:
            return show(obj)
        except UNSHOWABLE:
            log.exception("%r left out of an answer", obj)
            return None
