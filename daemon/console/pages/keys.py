"""The page of a user's own API key, tokens and feeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from werkzeug.exceptions import NotFound

from daemon.console.door import LoginNeeded
from daemon.console.page import Action, ConsolePage, Done, Facts
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from export.auth.api_keys import ApiKey, key_ring
from export.auth.feeds import Feed, feeds
from export.auth.tokens import SCOPES, ApiToken, tokens
from export.errors import CredentialException
from export.people.roles import Role

GONE = "There is none any more: load the page again"


def _facts(visit: Visit) -> Facts:
    user = _user(visit)
    return {
        "key": key_ring(visit.connection).of(user),
        "tokens": sorted(tokens(visit.connection).of(user), key=lambda token: token.created),
        "feeds": sorted(_feeds(visit), key=lambda feed: feed.created),
        "scopes": SCOPES,
        "chosen": visit.form.getlist("scope"),
    }


PAGE = ConsolePage("/keys", "keys.html", _facts, label="Keys", role=Role.NONE, is_live=False)


def _make_key(visit: Visit) -> Done:
    with _faults_at("persistent"):
        key = key_ring(visit.connection).create(_user(visit), "persistent" in visit.form)
        return Done(f"The key {key.hint} is made", secret=f"key {key.key}\nsecret {key.secret}")


def _revoke_key(visit: Visit) -> str:
    key = _key(visit)
    key_ring(visit.connection).revoke(key)
    return f"The key {key.hint} is revoked"


def _make_token(visit: Visit) -> Done:
    name, scopes = visit.form.get("name", "").strip(), visit.form.getlist("scope")
    if not scopes:
        raise FieldFault("scope", "Choose what the token may do")
    with _faults_at("name"):
        token, text = tokens(visit.connection).create(_user(visit), name, scopes)
    return Done(f"The token {token.name} is made", secret=text)


def _reset_token(visit: Visit) -> Done:
    token = _token(visit)
    text = tokens(visit.connection).reset(token)
    return Done(f"The token {token.name} has another text; the old one opens nothing", secret=text)


def _revoke_token(visit: Visit) -> str:
    token = _token(visit)
    tokens(visit.connection).revoke(token)
    return f"The token {token.name} is revoked"


def _make_feed(visit: Visit) -> Done:
    with _faults_at("address"):
        feed = feeds(visit.connection).create(_user(visit), visit.form.get("address", "").strip())
        return Done(f"The feed {feed.shown_address} is made", secret=feed.address)


def _revoke_feed(visit: Visit) -> str:
    feed = next((each for each in _feeds(visit) if each.id == visit.arguments["id"]), None)
    if feed is None:
        raise NotFound(GONE)
    feeds(visit.connection).revoke(feed)
    return f"The feed {feed.shown_address} is revoked"


def _own(path: str, perform: Callable[[Visit], Done | str]) -> Action:
    """Return an action that every user may do with their own."""
    return Action(path, perform, PAGE, role=Role.NONE)


ACTIONS = (
    _own("/keys/key/make", _make_key),
    _own("/keys/key/revoke", _revoke_key),
    _own("/keys/tokens/make", _make_token),
    _own("/keys/tokens/<id>/reset", _reset_token),
    _own("/keys/tokens/<id>/revoke", _revoke_token),
    _own("/keys/feeds/make", _make_feed),
    _own("/keys/feeds/<id>/revoke", _revoke_feed),
)


def _user(visit: Visit) -> str:
    """Return the id of who asks. Raises LoginNeeded."""
    if visit.user is None:
        raise LoginNeeded
    return visit.user.id


def _key(visit: Visit) -> ApiKey:
    key = key_ring(visit.connection).of(_user(visit))
    if key is None:
        raise NotFound(GONE)
    if key.blocked:
        raise FieldFault("persistent", "The key is blocked: an administrator has to unblock it")
    return key


def _token(visit: Visit) -> ApiToken:
    own = tokens(visit.connection).of(_user(visit))
    token = next((each for each in own if each.id == visit.arguments["id"]), None)
    if token is None:
        raise NotFound(GONE)
    return token


def _feeds(visit: Visit) -> list[Feed]:
    user = _user(visit)
    return [feed for feed in feeds(visit.connection) if feed.user == user]


@contextmanager
def _faults_at(field: str) -> Iterator[None]:
    """Show at *field* why a credential cannot be made."""
    try:
        yield
    except CredentialException as error:
        text = str(error)
        raise FieldFault(field, text[:1].upper() + text[1:]) from None
