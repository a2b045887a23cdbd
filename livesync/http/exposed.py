"""The resources of exposed classes: `/export/ADDRESS/ID.json`, for those of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ZODB.Connection import Connection

from export.collection import Collection
from export.http.question import Question
from export.http.result import Answer
from export.http.selection import LISTED
from export.resource import Resource
from export.routing import nothing_at
from livesync.objects.object_index import index_of
from livesync.objects.object_model import may_see, unique_id
from livesync.objects.watched_class import WatchedClass
from livesync.objects.watched_classes import table_of
from scheduler.store import current

DETAIL = "full"
MEANINGS = (
    ("all", "", "All objects of an exposed class."),
    ("search", "/search/<id:term>", "Those with some words in their title."),
    ("by_id", "/<id:idlist>", "Some of them by their ids."),
)


class ExposedObjects(Collection):
    """The objects of one exposed class."""

    def __init__(self, watched: WatchedClass) -> None:
        self._watched = watched
        self.address = f"/export/{watched.address}"  # type: ignore[misc]
        self.details = {DETAIL: watched.shape()}  # type: ignore[misc]

    def members(self) -> Iterator[Any]:
        """Return all objects, by their ids."""
        index = index_of(current(), self._watched)
        return iter(()) if index is None else (obj for _, obj in index.behind())

    def find(self, id: str) -> Any:
        """Return the object with that id, or None."""
        index = index_of(current(), self._watched)
        return None if index is None else index.find(id)

    def allows(self, obj: Any, user: str | None) -> bool:
        """Return whether *user* may see *obj*: whom its protection lets in, or everybody."""
        return may_see(obj, user)

    def identify(self, obj: Any) -> str:
        """Return the id of *obj*."""
        return unique_id(obj) or ""


def _exposed(connection: Connection, arguments: Mapping[str, str]) -> WatchedClass | None:
    return table_of(connection).at(arguments["exposed"])


def _exists(connection: Connection, arguments: Mapping[str, str]) -> bool:
    return _exposed(connection, arguments) is not None


def _answering(number: int) -> Callable[[Question], Answer]:
    def answer(question: Question) -> Answer:
        watched = _exposed(current(), question.arguments)
        if watched is None:
            raise nothing_at(question.request.path)  # it has gone since the address was found
        resource = ExposedObjects(watched).resources[number]
        return resource.answer(
            resource.question(
                *(question.request, question.arguments, question.user, question.settings),
                question.past,
            )
        )

    return answer


RESOURCES = [
    Resource(
        f"exposed_{name}",
        (f"/export/<word:exposed>{more}.<word:format>",),
        _answering(number),
        formats=Collection.formats,
        usual_detail=DETAIL,
        exists=_exists,
        parameters=LISTED,
        meaning=meaning,
    )
    for number, (name, more, meaning) in enumerate(MEANINGS)
]
