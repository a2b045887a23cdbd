"""The errors of the export; all derive from ExportException."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet


class ExportException(Exception):  # noqa: N818 (the root, named like the scheduler's)
    """The root of all errors of the export."""


class ExportConfigurationException(ExportException):
    """A setting is unknown or has a value that cannot be used."""


class CatalogueException(ExportException):
    """A change would break the catalogue: an id is taken, an owner is missing."""


class RoomNotFree(CatalogueException):
    """A room cannot be booked at the time; the text says what is in the way."""


class ImportRefused(ExportException):
    """An import file cannot be taken over; the text says where and why."""


class CredentialException(ExportException):
    """A user, key or token cannot be made or changed like that; the text says why."""


class RequestException(ExportException):
    """A request is refused; the text is the message of the answer (reference 5.1)."""

    status = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.details: dict[str, str] = {}
        """Further members of the answer, beside the message."""


class MalformedRequest(RequestException):
    """A parameter cannot be read (400)."""


class InvalidFields(MalformedRequest):
    """Fields of the body are wrong (400); `fields` tells of each by its name what is."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("Validation Error")
        self.fields = fields


class MalformedBody(MalformedRequest):
    """The body is not what its content type says (400)."""


class RefusedRequest(RequestException):
    """The caller may not have this, or has not shown who they are (403)."""

    status = 403


class UnknownResource(RequestException):
    """Nothing is at this address (404)."""

    status = 404


class NotFree(RequestException):
    """Somebody else has what is asked for (409)."""

    status = 409


class UnknownPosition(RequestException):
    """A position is not one of this database, or there is no history to look back (409)."""

    status = 409


class GonePosition(RequestException):
    """The state of a position is not kept any more (410); `oldest` is the oldest that is."""

    status = 410

    def __init__(self, message: str, oldest: str | None = None) -> None:
        super().__init__(message)
        self.details = {} if oldest is None else {"oldest": oldest}


class WrongMethod(RequestException):
    """The address takes *methods* only (405)."""

    status = 405

    def __init__(self, methods: Sequence[str]) -> None:
        wanted = " or ".join(each for each in methods if each not in {"HEAD", "OPTIONS"})
        super().__init__(f"This action requires {wanted}", {"Allow": ", ".join(methods)})


class AddressTooLong(RequestException):
    """Path and query are longer than anybody needs (414)."""

    status = 414


class BodyTooLarge(RequestException):
    """The body is longer than anybody needs (413)."""

    status = 413


class UnknownBody(RequestException):
    """The body is of a kind that is not understood here (415)."""

    status = 415


class NoSuchRange(RequestException):
    """The file has no such part (416)."""

    status = 416


class ServiceUnavailable(RequestException):
    """The database does not answer (503)."""

    status = 503


class TooManyRequests(RequestException):
    """Somebody asks faster than they may (429); *seconds* tell when to come again."""

    status = 429

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, {"Retry-After": str(max(1, math.ceil(seconds)))})


class TooManyGuesses(TooManyRequests):
    """Passwords are guessed faster than they are checked (429)."""


class InternalFailure(RequestException):
    """The fault is on this side (500); the log tells more."""

    status = 500


class TokenNeeded(RequestException):
    """The caller shows no token where one is needed (401, RFC 6750 section 3.1)."""

    status = 401

    def __init__(self) -> None:
        super().__init__("A token is needed", {"WWW-Authenticate": "Bearer"})


class UnknownCredentials(RequestException):
    """The header `Authorization` has a kind of credentials that is not understood (401)."""

    status = 401

    def __init__(self, scheme: str) -> None:
        kind = f"of the kind {scheme!r}" if scheme else "without a known kind"
        super().__init__(
            f"Authorization {kind} is not understood: send a Bearer token, or leave the header out",
            {"WWW-Authenticate": "Bearer"},
        )


class TokenRefused(RequestException):
    """The caller's token does not open this (RFC 6750 section 3.1)."""

    def __init__(self, code: str, description: str, **more: str) -> None:
        details = {"error": code, "error_description": description}
        told = ", ".join(f'{name}="{value}"' for name, value in {**details, **more}.items())
        super().__init__(
            description,
            {
                "WWW-Authenticate": f"Bearer {told}",
                "Cache-Control": "no-store",
                "Pragma": "no-cache",
            },
        )
        self.details = details


class InvalidToken(TokenRefused):
    """The token is unknown, blocked or revoked, or whose it is may not enter (401)."""

    status = 401

    def __init__(self) -> None:
        super().__init__(
            "invalid_token",
            "The access token provided is expired, revoked, malformed, or invalid for other "
            "reasons.",
        )


class InsufficientScope(TokenRefused):
    """The token is for something else (403)."""

    status = 403

    def __init__(self, scopes: AbstractSet[str]) -> None:
        super().__init__(
            "insufficient_scope",
            "The request requires higher privileges than provided by the access token.",
            scope=" ".join(sorted(scopes)),
        )
