"""The change feed over HTTP, for whoever cannot be pushed to: `/export/changes.json?since=TOKEN`.

A reader shows the position up to which it knows all, and is told what came after it, as far as it
may see that.
"""

from __future__ import annotations

from typing import Any

from ZODB.Connection import Connection

from export.errors import GonePosition, ServiceUnavailable
from export.http.parameter import Instant, Integer, Parameter
from export.http.past import number_of
from export.http.question import Question
from export.http.result import Document, ResultPage
from export.openapi.type_schema import PREFIX
from export.resource import Resource
from livesync.feed.manager import SEQUENCED_AT_ONCE, SyncManager
from livesync.feed.pulled_changes import ChangeReader, PulledChange, PulledPage
from livesync.records.change_filter import ChangeFilter, words
from livesync.records.cloud_event import BATCH_TYPE, cloud_event, time_of
from livesync.records.document import document, json_bytes
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED, Record
from livesync.records.schemas import SCHEMAS
from scheduler.store import current, transact
from scheduler.store.history import is_lost
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import tokens_of

MOST = 1000
USUAL = 100

SINCE = Instant("since", "The position, or the date, behind which changes are told; else all.")
LIMIT = Integer("limit", "About how many: changes of one transaction stay together.", most=MOST)
TYPE = Parameter("type", "Kinds of objects, with `,` between them: event, contribution ...")
CATEGORY = Parameter("category", "Only what is in these categories, by their ids, or below them.")
CLASS = Parameter("class", "Only objects of these classes: by name, or as module.Class.")
PARAMETERS = (SINCE, LIMIT, TYPE, CATEGORY, CLASS)

STATUS = {"deleted": STATUS_DELETED, "created": STATUS_CREATED, "changed": STATUS_CHANGED}


def answer(question: Question) -> ResultPage:
    """Return the changes behind a position, in the order of commits."""
    connection = current()
    asked = Asked(question)
    page = asked.page(connection, question.user, asked.start(connection))
    told = [asked.told(connection, question.user, one) for one in page.changes]
    position = tokens_of(connection).of(page.tid)
    following = None if page.is_last else {SINCE.name: position}
    return ResultPage(told, page.is_last, {"position": position}, following)


def answer_events(question: Question) -> Document:
    """Return the same as CloudEvents, a batch in JSON; go on from the header `Position`."""
    connection = current()
    asked = Asked(question)
    page = asked.page(connection, question.user, asked.start(connection))
    told = (asked.told(connection, question.user, one) for one in page.changes)
    source = source_of(question)
    events = [cloud_event(one, source) for one in told]
    headers = {"Position": tokens_of(connection).of(page.tid)}
    return Document(json_bytes(events), BATCH_TYPE, headers=headers)


def source_of(question: Question) -> str:
    """Return what CloudEvents name as their source."""
    return f"{question.settings.base_url}/export/changes"


class Asked:
    """The parameters of a reader's request."""

    def __init__(self, question: Question) -> None:
        request = question.request
        self._request = request
        self._settings = question.settings
        self._limit = LIMIT.of(request) or USUAL
        self._filter = ChangeFilter(*(words(each.of(request)) for each in (TYPE, CLASS, CATEGORY)))

    def start(self, connection: Connection, known: str | None = None) -> int:
        """Return the transaction behind which to begin; raises RequestException.

        It is that of *known*, if given, else of the parameter, else the oldest one.
        """
        feed = ChangeReader(connection, None)
        text = known or SINCE.of(self._request)
        if not text:
            return feed.horizon
        instant = number_of(text, connection, self._settings.zone)
        oldest = tokens_of(connection).of(feed.horizon)
        if instant.tid < feed.horizon:
            raise GonePosition("Changes since then are not kept any more; begin anew", oldest)
        if instant.is_exact and is_lost(connection.db(), instant.tid):
            message = "The position is not in the database: a backup was put back; begin anew"
            raise GonePosition(message, oldest)
        if instant.is_exact and instant.tid > snapshot_of(connection):
            raise ServiceUnavailable("The position is newer than what is seen here: ask again")
        return instant.tid

    def page(self, connection: Connection, user: str | None, tid: int) -> PulledPage:
        """Return what is new behind transaction *tid*, as *user* may see it."""
        _sequence_if_due(connection)
        return ChangeReader(connection, user, self._filter).page(tid, self._limit)

    def told(
        self, connection: Connection, user: str | None, change: PulledChange
    ) -> dict[str, Any]:
        """Return *change* as plain data: the record that agents send, and its transaction."""
        record = Record(change.obj, change.obj_id, STATUS[change.status], kind=change.kind)
        return {
            **document(record, user),
            "actions": list(change.actions),
            "position": tokens_of(connection).of(change.tid),
            "transaction": f"{change.tid:016x}",
            "time": time_of(change.tid),
        }


def _sequence_if_due(connection: Connection) -> None:
    """Put the recorded changes in order where no agent does: each reader looks through the rest."""
    if SyncManager.getDBInstance(connection).pending() > SEQUENCED_AT_ONCE:
        transact(connection.db(), lambda own: SyncManager.getDBInstance(own).sequence())


RESOURCES = [
    Resource(
        "changes",
        ("/export/changes.json",),
        answer,
        parameters=PARAMETERS,
        shows={"$ref": f"{PREFIX}Change"},
        schemas=SCHEMAS,
    ),
    Resource(
        "change_events",
        ("/export/changes.cloudevents",),
        answer_events,
        parameters=PARAMETERS,
        content_type=BATCH_TYPE,
        shows={"$ref": f"{PREFIX}CloudEvents"},
    ),
]
