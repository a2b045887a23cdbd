"""What can go wrong, by name: every error of the export derives from ExportException."""

from __future__ import annotations


class ExportException(Exception):  # noqa: N818 (the root, named like the scheduler's)
    """The root of all errors of the export."""


class ExportConfigurationException(ExportException):
    """A setting is unknown or has a value that cannot be used."""


class CatalogueException(ExportException):
    """A change would break the catalogue: an id is taken, an owner is missing."""


class ImportRefused(ExportException):
    """An import file cannot be taken over; the text says where and why."""


class RequestException(ExportException):
    """A request is refused; the text is the message of the answer (reference 5.1)."""

    status = 400

    def __init__(self, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}


class MalformedRequest(RequestException):
    """A parameter cannot be read (400)."""


class UnknownCredentials(RequestException):
    """The caller shows credentials of a kind that is not taken here (401)."""

    status = 401


class RefusedRequest(RequestException):
    """The caller may not have this, or has not shown who they are (403)."""

    status = 403


class UnknownResource(RequestException):
    """Nothing is at this address (404)."""

    status = 404


class WrongMethod(RequestException):
    """The address does not take this method (405)."""

    status = 405


class AddressTooLong(RequestException):
    """Path and query are longer than anybody needs (414)."""

    status = 414


class ServiceUnavailable(RequestException):
    """The database does not answer (503)."""

    status = 503


class InternalFailure(RequestException):
    """The fault is on this side (500); the log tells more."""

    status = 500
