"""The entrance: how many requests are let in, and whom each acts as."""

from __future__ import annotations

from export.auth.caller import Caller
from export.auth.request_limits import Allowance, RequestLimits
from export.errors import InsufficientScope, InvalidToken, RefusedRequest
from export.http.request import ExportRequest
from export.resource import Resource
from export.settings import ExportSettings


class Entrance:
    """The limits and the doors of all resources."""

    def __init__(self, settings: ExportSettings) -> None:
        self._settings = settings
        self._limits = RequestLimits(settings.rate_limit)

    def admit(self, request: ExportRequest) -> Allowance | None:
        """Return what the sender of *request* may still send; None for any number.

        Raises RequestException; credentials of a kind that is not understood are refused here.
        """
        allowance = self._limits.admit(request)
        request.bearer_token  # noqa: B018 (it is checked)
        return allowance

    def caller(self, request: ExportRequest, resource: Resource) -> Caller:
        """Return whom *request* acts as at *resource*. Raises RequestException."""
        try:
            return resource.door(request, self._settings, resource.scopes)
        except (InvalidToken, RefusedRequest) as error:
            if request.shown_credential and not isinstance(error, InsufficientScope):
                self._limits.note_wrong(request)
            raise
