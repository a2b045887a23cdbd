"""The WSGI application: from a request to an answer, on one snapshot of the database."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import transaction
from werkzeug.wrappers import Request, Response
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import ConflictError, StorageError

from export.auth import api_keys, browser_sessions, feeds, tokens
from export.auth.caller import Caller
from export.auth.usage import UsageLog, Uses
from export.errors import (
    AddressTooLong,
    InternalFailure,
    MalformedRequest,
    RefusedRequest,
    RequestException,
    ServiceUnavailable,
    UnknownResource,
    WrongMethod,
)
from export.fossils.installation import keep_base_url
from export.http.request import LONGEST, ExportRequest
from export.http.result import Answer, File
from export.model import catalogue
from export.model.listeners import subscribe_installed
from export.people import group, user
from export.reply import Reply, file_response, options
from export.resources import ROUTES
from export.rooms import registry, schedule
from export.route import Route
from export.settings import ExportSettings
from scheduler.clock import nowutc
from scheduler.store import open_database, transact, using

log = logging.getLogger(__name__)

BRANCHES = (
    *(catalogue.SCHEMA, registry.SCHEMA, schedule.SCHEMA, user.SCHEMA, group.SCHEMA),
    *(api_keys.SCHEMA, feeds.SCHEMA, browser_sessions.SCHEMA, tokens.SCHEMA),
)

MOST = 1000
"""How many ids an address may name."""

UNSIGNED = "The API key does not count without a signature: sign the request."

SEPARATOR = re.compile("[-,]")

Result = TypeVar("Result")


class ExportApp:
    """Answers `/export/...` and `/api/...`, each request from one snapshot.

    What only reads commits nothing; what writes is one transaction.
    """

    def __init__(self, database: DB, settings: ExportSettings, owned: bool) -> None:
        self.database = database
        self.settings = settings
        self.usage = UsageLog(database)
        self._owned = owned
        for branch in BRANCHES:
            transact(database, branch.get, note="prepare the export")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        return self.respond(Request(environ))(environ, start_response)

    def close(self) -> None:
        """Write how keys and tokens were used; close the database, if it was opened here."""
        self.usage.close()
        if self._owned:
            self.database.close()

    def respond(self, http: Request) -> Response:
        """Return the answer to *http*; errors are answers too."""
        request = ExportRequest(http)
        reply = Reply(request)
        try:
            route, match = _find(request)
            reply = Reply(request, route, match.groupdict().get("format", "json"))
            if request.method == "OPTIONS":
                return options(route)
            if not route.takes(request.method):
                wanted = f"This action requires {route.method}"
                raise WrongMethod(wanted, {"Allow": route.allowed})
            answer = self._answer(request, route, match)
            if isinstance(answer, File):
                return file_response(answer, http)
            return reply.content(answer, self.settings.base_url)
        except RequestException as error:
            return reply.refuse(error)
        except ConflictError:
            log.exception("request for %r met conflicts", request.path)
            return reply.refuse(InternalFailure("An unresolvable database conflict has occured"))
        except StorageError:
            log.exception("request for %r failed: the database does not answer", request.path)
            return reply.refuse(ServiceUnavailable("The database does not answer"))
        except Exception:
            log.exception("request for %r failed", request.path)
            return reply.refuse(InternalFailure("Internal error; the log tells more"))

    def _answer(self, request: ExportRequest, route: Route, match: re.Match[str]) -> Answer:
        request.bearer_token  # noqa: B018 (credentials of another kind are refused everywhere)

        def work(connection: Connection) -> tuple[Answer, Caller]:
            caller = route.door(request, self.settings, route.scopes)
            try:
                return route.answer(request, match, caller.user, self.settings), caller
            except RefusedRequest as error:
                if caller.lacks_signature:
                    raise RefusedRequest(f"{error.message} {UNSIGNED}") from None
                raise

        if route.method == "GET":
            answer, caller = self._read(work)
        else:
            answer, caller = transact(self.database, work, note=f"{route.method} {request.path}")
        if caller.credential is not None:
            self.usage.note(caller.credential, _use(request, caller))
        return answer

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        manager = transaction.TransactionManager(explicit=True)
        connection = self.database.open(transaction_manager=manager)
        try:
            manager.begin()
            with using(connection):
                return work(connection)
        finally:
            manager.abort()
            connection.close()


def make_app(
    database: DB | str, config: Mapping[str, Any] | ExportSettings | None = None
) -> ExportApp:
    """Return the WSGI application for *database*, a ZODB.DB or a URI.

    *config* is described by Settings; an unknown or bad one raises
    ExportConfigurationException. Its `base_url` is kept in the database, for the records of
    livesync too; without one, that which is kept counts. Listeners of installed packages are
    subscribed.
    """
    settings = ExportSettings.of(config)
    subscribe_installed()
    is_owned = isinstance(database, str)
    opened = open_database(database) if isinstance(database, str) else database
    settings = replace(settings, base_url=keep_base_url(opened, settings.base_url))
    return ExportApp(opened, settings, owned=is_owned)


def _find(request: ExportRequest) -> tuple[Route, re.Match[str]]:
    if request.is_too_long:
        raise AddressTooLong(f"Path and query may have {LONGEST} characters together")
    if len(SEPARATOR.findall(request.path)) >= MOST:
        raise MalformedRequest(f"You can only request up to {MOST} ids per request")
    for route in ROUTES:
        match = route.pattern.fullmatch(request.path)
        if match is None:
            continue
        wanted = match.groupdict().get("format", "json")
        if wanted not in route.formats:
            known = ", ".join(route.formats)
            raise UnknownResource(f"Unknown format '{wanted}'; known are {known}")
        return route, match
    raise UnknownResource(f"Nothing is exported at '{request.path}'")


def _use(request: ExportRequest, caller: Caller) -> Uses:
    return Uses(1, nowutc(), request.remote_address, request.recorded, caller.user is not None)
