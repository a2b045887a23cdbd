"""The changes of an event's programme between two positions: `/export/event/EVENT/diff`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from ZODB.Connection import Connection

from export.errors import MalformedRequest, UnknownResource
from export.fossils.conference import IConferenceFossil
from export.fossils.contribution import IContributionWithSubContribsFossil
from export.fossils.timetable import ENTRY_FOSSILS
from export.http.parameter import Instant
from export.http.past import Past, checked
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import TZ, everything
from export.http.view import View
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.timetable import timetable
from export.resource import Resource
from scheduler.store import current, using
from scheduler.store.history import past_view
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import tokens_of

FROM = Instant("from", "The state before: a position, or a date.", ("f",), is_needed=True)
TO = Instant("to", "The state after: a position, or a date; else the present one.", ("t",))

CONTRIBUTION = "Contribution"
"""The type of entries of a timetable that are told as contributions."""

Parts = dict[tuple[str, str], dict[str, Any]]


def answer(question: Question) -> ResultPage:
    """Return what was added to a programme, removed from it and changed in it.

    That is the event itself, its contributions, its sessions' slots and its breaks, as far as the
    caller might see each then, and may see now what is still there.
    """
    request, present, zone = question.request, current(), question.settings.zone
    since, till = FROM.of(request), TO.of(request)
    if not since:
        raise MalformedRequest("'from' is needed: a position, or a date")
    first = checked(since, present, zone)
    last = checked(till, present, zone) if till else snapshot_of(present)
    if first > last:
        raise MalformedRequest("'from' must not be later than 'to'")
    with ExitStack() as stack:
        before = _parts(question, stack.enter_context(past_view(present.db(), first)), present)
        if till:
            after = _parts(question, stack.enter_context(past_view(present.db(), last)), present)
        else:
            after = _parts(question, present, None)
    if not before and not after:
        raise UnknownResource(f"There is no event {question.arguments['event']}")
    tokens = tokens_of(present)
    told = {"from": tokens.of(first), "to": tokens.of(last)}
    return ResultPage(list(_differences(before, after)), additional_info=told)


def _parts(question: Question, shown: Connection, present: Connection | None) -> Parts:
    """Return the parts of the programme in the state *shown*, by their types and ids."""
    selection = everything(question.request, question.settings.zone)
    view = View(question.user, selection, question.settings, past=Past(shown, present))
    with using(shown):
        event = catalogue().event(question.arguments["event"])
        found = [] if event is None else list(_shown(event, view))
    return {(one["_type"], str(one["id"])): one for one in found}


def _shown(event: Conference, view: View) -> Iterator[dict[str, Any]]:
    if view.shows(event):
        yield view.show(event, IConferenceFossil)
    for one in filter(view.shows, event.getContributionList()):
        yield view.show(one, IContributionWithSubContribsFossil, event)
    for entries in timetable(event, view.shows, view.selection.tz).values():
        for entry in view.show(entries, ENTRY_FOSSILS, event):
            if entry["entryType"] != CONTRIBUTION:
                yield {name: entry[name] for name in entry if name != "entries"}


def _differences(before: Parts, after: Parts) -> Iterator[dict[str, Any]]:
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        shown = new or old or {}
        told = {name: shown.get(name) for name in ("_type", "id", "title")}
        if old is None:
            yield {**told, "change": "added", "after": new}
        elif new is None:
            yield {**told, "change": "removed", "before": old}
        else:
            fields = {
                name: {"before": old.get(name), "after": new.get(name)}
                for name in {**old, **new}
                if old.get(name) != new.get(name)
            }
            yield {**told, "change": "changed", "fields": fields}


RESOURCE = Resource(
    "event_diff",
    ("/export/event/<word:event>/diff.<word:format>",),
    answer,
    formats=("json", "jsonp", "xml"),
    parameters=(FROM, TO, TZ),
)
