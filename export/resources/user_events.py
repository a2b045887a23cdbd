"""The events of a user: `/export/user/linked_events`, `/export/user/categ_events`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossils.category import IBasicConferenceFossil
from export.http.page import cut
from export.http.parameter import Parameter
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import COMMON
from export.http.view import View
from export.model.catalogue import ROOT, Catalogue, catalogue
from export.model.conference import Conference
from export.people.group import is_among
from export.people.user import Avatar, users
from export.resource import Resource
from export.resources.user import is_admin

FORMATS = ("json", "jsonp", "xml")
DETAILS = {"basic_events": Detail(IBasicConferenceFossil, 1000)}
USER_ID = Parameter("userid", "The user, for administrators; else the caller.", ("uid",))


def _is_creator(event: Conference, user: Avatar) -> bool:
    """Return whether *user* created *event*; of an imported one the e-mail address decides.

    The ids of people in an imported event are those of its source.
    """
    if event.creator is None:
        return False
    if event.origin:
        return event.creator.has_email(user.email)
    return event.creator.getId() == user.id


ROLES: dict[str, Callable[[Conference, Avatar], bool]] = {
    "conference_access": lambda event, user: is_among(user.id, event.getAllowedToAccessList()),
    "conference_creator": _is_creator,
    "conference_manager": lambda event, user: is_among(user.id, event.getManagerList()),
    "conference_registrar": lambda event, user: (
        event.registration is not None and is_among(user.id, event.registration.registrars)
    ),
}
"""Links of a user to an event, by the names of their roles in answers."""


def answer(question: Question) -> ResultPage:
    """Return the events that a user has a role in, or those of categories.

    The categories are those that the user has chosen as favourites or manages; the user is
    the caller, or `userid` for administrators.
    """
    user = question.user
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    selection, view = question.selection, question.view
    wanted = USER_ID.of(question.request) or user
    if wanted != user and not is_admin(user):
        raise RefusedRequest("Access denied")
    avatar = users().find(wanted)
    if avatar is None:
        raise UnknownResource("Avatar does not exist")
    by_role = question.arguments["what"] == "linked"
    page = cut((_linked if by_role else _chosen)(avatar, view), selection)
    events = list(page.members)
    shown = [view.show(event, question.fossil) for event in events]
    if by_role:
        for one, event in zip(shown, events, strict=True):
            one["roles"] = _roles(event, avatar)
    return ResultPage(shown, page.complete)


def _linked(avatar: Avatar, view: View) -> Iterator[Conference]:
    """Yield the events with a role for the user, of those that begin in the time asked for."""
    earliest = view.selection.start
    for event in _events(catalogue(), (ROOT,), view):
        start = event.getStartDate()
        begins = earliest is None or (start is not None and start >= earliest)
        if begins and _roles(event, avatar):
            yield event


def _roles(event: Conference, user: Avatar) -> list[str]:
    return [role for role, has in ROLES.items() if has(event, user)]


def _chosen(avatar: Avatar, view: View) -> Iterator[Conference]:
    found = catalogue()
    return _events(found, (*avatar.favorites, *_managed(found, avatar.id)), view)


def _events(found: Catalogue, categories: Iterable[str], view: View) -> Iterator[Any]:
    ids = (
        event_id
        for category_id in dict.fromkeys(categories)
        for event_id in found.index.between(category_id, view.selection.start, view.selection.end)
    )
    for event_id in dict.fromkeys(ids):
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


def _managed(found: Catalogue, user: str) -> Iterator[str]:
    for category_id, category in found.categories.items():
        if is_among(user, category.getManagerList()):
            yield category_id


RESOURCE = Resource(
    "user_events",
    ("/export/user/<any(linked, categ):what>_events.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*COMMON, USER_ID),
)
