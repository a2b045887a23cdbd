"""The events of a user: `/export/user/linked_events`, `/export/user/categ_events`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossils.category import IBasicConferenceFossil
from export.http.listing import listed
from export.http.parameter import Parameter
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import LISTED
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
    return listed(question, _events_of, _shows).page()


def _user_of(question: Question) -> Avatar:
    """Return the user that is asked about. Raises RefusedRequest, UnknownResource."""
    user, past = question.user, question.past
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    question.selection  # noqa: B018 (it is checked first)
    wanted = USER_ID.of(question.request) or user
    if wanted != user and not (
        is_admin(user)
        and (past is None or past.holds_now(catalogue().root, lambda root: root.canModify(user)))
    ):
        raise RefusedRequest("Access denied")
    avatar = users().find(wanted)
    if avatar is None:
        raise UnknownResource("Avatar does not exist")
    return avatar


def _is_by_role(question: Question) -> bool:
    return question.arguments["what"] == "linked"


def _events_of(question: Question) -> Iterator[Conference]:
    avatar = _user_of(question)
    return (_linked if _is_by_role(question) else _chosen)(avatar, question.view)


def _shows(question: Question) -> Callable[[Conference], Any]:
    avatar = _user_of(question) if _is_by_role(question) else None

    def show(event: Conference) -> Any:
        shown = question.view.show(event, question.fossil)
        return shown if avatar is None else {**shown, "roles": _roles(event, avatar)}

    return show


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
    parameters=(*LISTED, USER_ID),
)
