"""The WSGI application: from a request to an answer, on one snapshot of the database."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import ConflictError, StorageError

from scheduler.clock import nowutc
from scheduler.store import open_database, position, transact
from scheduler.store.read_view import read_view
from scheduler.values.extras import extra_needed

with extra_needed():
    from werkzeug.wrappers import Request, Response

    from export.answers.entrance import Entrance
    from export.answers.patience import Patience
    from export.answers.reading import Reading
    from export.answers.reply import Reply, file_response, options
    from export.auth import api_keys, browser_sessions, feeds, tokens
    from export.auth.caller import Caller
    from export.auth.usage import UsageLog, Uses
    from export.errors import (
        AddressTooLong,
        InternalFailure,
        MalformedRequest,
        RequestException,
        ServiceUnavailable,
        UnknownResource,
        WrongMethod,
    )
    from export.fossils.installation import keep_base_url
    from export.http.cors import CorsPolicy
    from export.http.question import SEPARATOR
    from export.http.request import LONGEST, ExportRequest
    from export.http.result import Answer, Bare, Document, File, Pending, Stream
    from export.model import catalogue, repeated_calls
    from export.model.listeners import subscribe_installed
    from export.people import group, user
    from export.registered import all_resources
    from export.resource import Resource, answered
    from export.rooms import registry, schedule
    from export.routing import Found, RoutingTable, nothing_at
    from export.settings import ExportSettings

log = logging.getLogger(__name__)

BRANCHES = (
    position.SCHEMA,
    *(catalogue.SCHEMA, registry.SCHEMA, schedule.SCHEMA, user.SCHEMA, group.SCHEMA),
    repeated_calls.SCHEMA,
    *(api_keys.SCHEMA, feeds.SCHEMA, browser_sessions.SCHEMA, tokens.SCHEMA),
)

MOST = 1000
"""How many ids an address may name."""

Result = TypeVar("Result")


class ExportApp:
    """Answers `/export/...` and `/api/...`, each request from one snapshot.

    A request that only reads commits nothing; one that writes is one transaction.
    """

    def __init__(
        self, database: DB, settings: ExportSettings, routing: RoutingTable, owned: bool
    ) -> None:
        self.database = database
        self.routing = routing
        self.settings = settings
        self.usage = UsageLog(database)
        self._owned = owned
        for branch in BRANCHES:
            transact(database, branch.get, note="prepare the export")
        transact(database, catalogue.index_tickets, note="prepare the index of tickets")
        self._cors = CorsPolicy(settings.cors_origins)
        self._entrance = Entrance(settings)
        self._patience = Patience(database)
        self._reading = Reading(database, settings, self._entrance)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        return self.respond(Request(environ))(environ, start_response)

    def close(self) -> None:
        """Write how keys and tokens were used; close the database, if it was opened here."""
        self.usage.close()
        self._reading.close()
        if self._owned:
            self.database.close()

    def respond(self, http: Request) -> Response:
        """Return the answer to *http*; errors are answers too."""
        return self._cors.apply(http, self._respond(ExportRequest(http)))

    def _respond(self, request: ExportRequest) -> Response:
        reply = Reply(request)
        try:
            resource, arguments = self._find(request)
            reply = Reply(request, resource, resource.written_as(arguments.get("format", "json")))
            if not resource.takes(request.method):
                methods = self.routing.methods(request.path)
                if request.method == "OPTIONS":
                    return options(methods)
                raise WrongMethod(methods)
            allowance = self._entrance.admit(request)
            response = self._answer(request, resource, arguments, reply)
            if allowance is not None:
                response.headers.update(allowance.headers)
            return response
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

    def _find(self, request: ExportRequest) -> Found:
        if request.is_too_long:
            raise AddressTooLong(f"Path and query may have {LONGEST} characters together")
        if len(SEPARATOR.findall(request.path)) >= MOST:
            raise MalformedRequest(f"You can only request up to {MOST} ids per request")
        resource, arguments = self.routing.find(request.path, request.method)
        self._check_exists(request, resource, arguments)
        wanted = arguments.get("format", "json")
        if wanted not in resource.formats:
            known = ", ".join(resource.formats)
            raise UnknownResource(f"Unknown format '{wanted}'; known are {known}")
        return resource, arguments

    def _check_exists(
        self, request: ExportRequest, resource: Resource, arguments: Mapping[str, str]
    ) -> None:
        if resource.exists is not None:
            with read_view(self.database) as view:
                if not resource.exists(view, arguments):
                    raise nothing_at(request.path)

    def _answer(
        self,
        request: ExportRequest,
        resource: Resource,
        arguments: Mapping[str, str],
        reply: Reply,
    ) -> Response:
        def write(connection: Connection) -> tuple[Answer, Caller]:
            caller = self._entrance.caller(request, resource)
            question = resource.question(request, arguments, caller.user, self.settings)
            return answered(resource, question, caller), caller

        answer: Answer | Response
        if resource.method == "GET":
            answer, caller = self._reading.answer(request, resource, arguments, reply)
        else:
            answer, caller = transact(
                self.database, write, note=f"{resource.method} {request.path}"
            )
        if isinstance(answer, Pending):
            answer = self._patience.outwait(answer, request.preferred_wait)
        if caller.credential is not None:
            self.usage.note(caller.credential, _use(request, caller))
        return self._response(answer, request, reply)

    def _response(
        self, answer: Answer | Response, request: ExportRequest, reply: Reply
    ) -> Response:
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, File):
            return file_response(answer, request)
        if isinstance(answer, Document):
            return reply.document(answer)
        if isinstance(answer, Stream):
            return reply.stream(answer)
        if isinstance(answer, Bare):
            return reply.bare(answer)
        return reply.noted(answer, self.settings.base_url)


def make_app(
    database: DB | str,
    config: Mapping[str, Any] | ExportSettings | None = None,
    resources: Iterable[Any] = (),
) -> ExportApp:
    """Return the WSGI application for *database*, a ZODB.DB or a URI.

    It serves the built-in and the registered resources (`export.registered`), and *resources*:
    Resources, and instances or subclasses of Collection.

    *config* is described by ExportSettings; an unknown or bad one raises
    ExportConfigurationException. Its `base_url` is kept in the database, for the records of
    livesync too; without one, that which is kept counts. Listeners of installed packages are
    subscribed.
    """
    settings = ExportSettings.of(config)
    routing = RoutingTable(all_resources(resources))
    subscribe_installed()
    is_owned = isinstance(database, str)
    opened = open_database(database) if isinstance(database, str) else database
    settings = replace(settings, base_url=keep_base_url(opened, settings.base_url))
    return ExportApp(opened, settings, routing, owned=is_owned)


def _use(request: ExportRequest, caller: Caller) -> Uses:
    return Uses(1, nowutc(), request.remote_address, request.recorded, caller.user is not None)
