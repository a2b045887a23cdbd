"""Whom a request acts as: by a token, a key with or without a signature, or a session."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from export.auth.api_keys import ApiKey, key_ring
from export.auth.browser_sessions import COOKIE, BrowserSession, csrf_token_of, sessions
from export.auth.feeds import Feed, feeds
from export.auth.tokens import tokens
from export.auth.usage import Owner
from export.errors import (
    InsufficientScope,
    InvalidToken,
    RefusedRequest,
    TokenNeeded,
)
from export.http.masking import MASK, masked
from export.http.request import ExportRequest
from export.people.secret import is_same
from export.people.user import users
from export.settings import ApiMode, ExportSettings
from export.signature import documented, signed_query
from scheduler.clock import nowutc

READING = {"GET", "HEAD"}
KEY_NEEDED = {ApiMode.ONLYKEY, ApiMode.ONLYKEY_SIGNED, ApiMode.ALL_SIGNED}
KEY_ENOUGH = {ApiMode.KEY, ApiMode.ONLYKEY}

LONGEST_TOLD = 2000
"""How many characters of what must be signed are told."""


@dataclass(frozen=True)
class Caller:
    """Whom a request acts as, None for what is public only; and the key or token it showed."""

    user: str | None
    credential: Owner | None = None
    lacks_signature: bool = False
    """Whether the key would have counted with a signature."""


def classic(request: ExportRequest, settings: ExportSettings, scopes: AbstractSet[str]) -> Caller:
    """Return who calls the classic API: by a token, a key, or a session (reference 5.1.2).

    The first credential in this order counts; a wrong one is refused, whatever else is shown.
    Raises RefusedRequest, InvalidToken, InsufficientScope.
    """
    caller = _by_token(request.bearer_token, scopes)
    if caller is None:
        caller = _by_session(request) or _by_key(request, settings)
    # Only now: of a signed request the parameters that count are known when it was checked.
    if request.take_flag("op", "onlypublic"):
        caller = Caller(None, caller.credential)
    _check_connection(request, settings, caller)
    if request.take_flag("oa", "onlyauthed") and caller.user is None:
        raise RefusedRequest("Not authenticated")
    return caller


def modern(request: ExportRequest, settings: ExportSettings, scopes: AbstractSet[str]) -> Caller:
    """Return who calls something newer: by a token, or to read by a session; or somebody unknown.

    Raises InvalidToken, InsufficientScope, RefusedRequest.
    """
    caller = _by_token(request.bearer_token, scopes)
    if caller is None:
        session = open_session(request) if request.method in READING else None
        caller = Caller(session.user if session is not None else None)
    _check_connection(request, settings, caller)
    return caller


def token_only(
    request: ExportRequest, settings: ExportSettings, scopes: AbstractSet[str]
) -> Caller:
    """Return who calls with a token, in the header or as `access_token` of the address.

    Raises TokenNeeded without one, InvalidToken, InsufficientScope, RefusedRequest.
    """
    text = request.bearer_token
    caller = _by_token(request.access_token if text is None else text, scopes)
    if caller is None:
        raise TokenNeeded
    _check_connection(request, settings, caller)
    return caller


def anybody(request: ExportRequest, settings: ExportSettings, scopes: AbstractSet[str]) -> Caller:
    """Return somebody unknown; what is asked for looks at the request itself."""
    return Caller(None)


def open_session(request: ExportRequest) -> BrowserSession | None:
    """Return the session that the request's cookie opens, or None."""
    cookie = request.cookies.get(COOKIE)
    session = sessions().find(cookie) if cookie else None
    user = users().find(session.user) if session is not None else None
    if user is None or session is None or user.blocked:
        return None
    return session if user.password_stamp == session.stamp else None


def check_csrf_token(request: ExportRequest) -> None:
    """See that a page of this site asks. Raises RefusedRequest."""
    if not is_same(request.csrf_token, csrf_token_of(request.cookies.get(COOKIE, ""))):
        raise RefusedRequest("Invalid CSRF token")


def _by_token(text: str | None, scopes: AbstractSet[str]) -> Caller | None:
    if text is None:
        return None
    token = tokens().find(text)
    if token is None or not token.is_valid or users().is_shut_out(token.user):
        raise InvalidToken
    if not scopes & token.scopes:
        raise InsufficientScope(scopes)
    return Caller(token.user, (tokens, token.digest))


def _by_session(request: ExportRequest) -> Caller | None:
    is_keyed = request.take("ak", "apikey") or request.signature
    if is_keyed or not request.take_flag("ca", "cookieauth"):
        return None
    if request.method not in READING:
        raise RefusedRequest("cookieauth is for GET only")
    session = open_session(request)
    if session is None:
        return None
    check_csrf_token(request)
    return Caller(session.user)


def _by_key(request: ExportRequest, settings: ExportSettings) -> Caller:
    text = request.take("ak", "apikey")
    signature = request.signature
    timestamp = request.take_integer("timestamp")
    if not text:
        if request.has_misspelt_key or settings.api_mode in KEY_NEEDED:
            raise RefusedRequest("API key is missing")
        return Caller(None)
    feed = feeds().find(text)
    if feed is not None:
        return _by_feed(request, feed)
    key = _valid_key(text)
    if signature:
        _check_time(timestamp, settings, key)
        _check_signature(request, key, text, signature)
        _check_time(request.take_integer("timestamp"), settings, key)
    elif settings.api_mode is ApiMode.ALL_SIGNED or _is_known_to_others(key, settings):
        raise RefusedRequest("Signature missing")
    is_enough = bool(signature) or settings.api_mode in KEY_ENOUGH
    return Caller(key.user if is_enough else None, (key_ring, key.digest), not is_enough)


def _by_feed(request: ExportRequest, feed: Feed) -> Caller:
    if users().is_shut_out(feed.user):
        raise RefusedRequest("API key is blocked")
    if request.method not in READING or not feed.is_at(request.path, request.query):
        raise RefusedRequest("This API key opens one address only, and not this one")
    return Caller(feed.user, (feeds, feed.digest))


def _valid_key(text: str) -> ApiKey:
    key = key_ring().find(text)
    if key is None:
        raise RefusedRequest("Invalid API key")
    if key.blocked or users().is_shut_out(key.user):
        raise RefusedRequest("API key is blocked")
    return key


def _is_known_to_others(key: ApiKey, settings: ExportSettings) -> bool:
    """Say whether *key* may stand in addresses that are good for ever, and are passed on."""
    return key.persistent_allowed and settings.persistent_signatures


def _check_time(timestamp: int, settings: ExportSettings, key: ApiKey) -> None:
    if timestamp:
        if abs(timestamp - nowutc().timestamp()) > settings.signature_ttl:
            raise RefusedRequest("Signature invalid (bad timestamp)")
    elif not (key.persistent_allowed and settings.persistent_signatures):
        raise RefusedRequest("Signature invalid (no timestamp)")


def _check_signature(request: ExportRequest, key: ApiKey, text: str, signature: str) -> None:
    """See that *signature* was made with the secret of *key*; take what it was made for."""
    query = signed_query(request.path, request.sent_path, request.query, key.secret, signature)
    if query is None:
        expected = documented(request.path, masked(request.query))
        raise RefusedRequest(
            f"Signature invalid: sign {expected[:LONGEST_TOLD]!r}, with your key for {MASK}, by "
            "HMAC-SHA1 with your secret as the key, in hexadecimal. Names and values are encoded "
            "as UTF-8 in a form: a blank as + (or %20), every byte but those of letters, digits "
            "and _.- as %XX; parameters are sorted by name, whatever the case"
        )
    request.read_as_signed(query)
    if request.take("ak", "apikey") != text:
        raise RefusedRequest("Signature invalid: another API key was signed")


def _check_connection(request: ExportRequest, settings: ExportSettings, caller: Caller) -> None:
    if caller.user is not None and settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
