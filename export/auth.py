"""API keys, and whom a request acts as (reference 5.1.2)."""

from __future__ import annotations

import uuid

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import RefusedRequest, UnknownCredentials
from export.request import ExportRequest
from export.settings import ApiMode, Settings
from export.signature import is_signed
from scheduler.clock import nowutc
from scheduler.store import Branch, connection_of

KEY_NEEDED = {ApiMode.ONLYKEY, ApiMode.ONLYKEY_SIGNED, ApiMode.ALL_SIGNED}
CHALLENGE = {"WWW-Authenticate": 'ApiKey realm="export"'}
KEY_ENOUGH = {ApiMode.KEY, ApiMode.ONLYKEY}


class ApiKey(Persistent):
    """A user's key with its secret; both are random UUIDs."""

    def __init__(self, user: str, persistent_allowed: bool = False) -> None:
        self.user = user
        self.key = str(uuid.uuid4())
        self.secret = str(uuid.uuid4())
        self.persistent_allowed = persistent_allowed
        self.blocked = False


class KeyRing(Persistent):
    """All keys; a user has one. Creating keys of different users merges."""

    def __init__(self) -> None:
        self.by_key = OOBTree()
        self.by_user = OOBTree()

    def create(self, user: str, persistent_allowed: bool = False) -> ApiKey:
        """Make a key for *user*; the one they had is valid no more."""
        old = self.by_user.get(user)
        if old is not None:
            del self.by_key[old.key]
        key = ApiKey(user, persistent_allowed)
        self.by_key[key.key] = self.by_user[user] = key
        return key

    def find(self, key: str) -> ApiKey | None:
        """Return the key of that text, or None."""
        found: ApiKey | None = self.by_key.get(key)
        return found


BRANCH = Branch("apikeys", 1, KeyRing)


def key_ring(connection: Connection | Persistent | None = None) -> KeyRing:
    """Return the keys of *connection*'s database; of the current one's for None."""
    return BRANCH.get(connection_of(connection))


def authenticate(request: ExportRequest, settings: Settings) -> str | None:
    """Return whom *request* acts as; None for what is public only.

    Raises RefusedRequest, and UnknownCredentials for a kind that is not offered.
    """
    _refuse_what_is_not_offered(request)
    text = request.take("ak", "apikey")
    signature = request.take("signature")
    timestamp = request.take_integer("timestamp")
    only_public = request.take_flag("op", "onlypublic")
    only_authed = request.take_flag("oa", "onlyauthed")
    user = None
    if text:
        key = _valid_key(text)
        if signature:
            _check_signature(request, settings, key, signature, timestamp)
        elif settings.api_mode is ApiMode.ALL_SIGNED:
            raise RefusedRequest("Signature missing")
        if not only_public and (signature or settings.api_mode in KEY_ENOUGH):
            user = key.user
    elif settings.api_mode in KEY_NEEDED:
        raise RefusedRequest("API key is missing")
    if user is not None and settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
    if only_authed and user is None:
        raise RefusedRequest("Not authenticated")
    return user


def _refuse_what_is_not_offered(request: ExportRequest) -> None:
    """Nobody who shows who they are is taken for somebody unknown. Raises UnknownCredentials."""
    has_token = request.authorization.lower().startswith("bearer")
    has_session = request.take_flag("ca", "cookieauth") and not request.take("ak", "apikey")
    if has_token or has_session:
        what = "Bearer tokens" if has_token else "Sessions"
        raise UnknownCredentials(f"{what} are not accepted here; use an API key", CHALLENGE)


def _valid_key(text: str) -> ApiKey:
    key = key_ring().find(text)
    if key is None:
        raise RefusedRequest("Invalid API key")
    if key.blocked:
        raise RefusedRequest("API key is blocked")
    return key


def _check_signature(
    request: ExportRequest, settings: Settings, key: ApiKey, signature: str, timestamp: int
) -> None:
    if timestamp:
        if abs(timestamp - nowutc().timestamp()) > settings.signature_ttl:
            raise RefusedRequest("Signature invalid (bad timestamp)")
    elif not (key.persistent_allowed and settings.persistent_signatures):
        raise RefusedRequest("Signature invalid (no timestamp)")
    if not is_signed(request.path, request.query, key.secret, signature):
        raise RefusedRequest("Signature invalid")
