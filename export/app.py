"""The WSGI application: from a request to an answer, on one snapshot of the database."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import transaction
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file
from ZODB import DB
from ZODB.POSException import StorageError

from export import auth
from export.errors import (
    AddressTooLong,
    InternalFailure,
    RequestException,
    ServiceUnavailable,
    UnknownResource,
    WrongMethod,
)
from export.formats import FORMATS, PLAIN, json
from export.model import catalogue
from export.model.listeners import subscribe_installed
from export.request import LONGEST, ExportRequest
from export.resources import RESOURCES
from export.result import Answer, Bare, File, envelope, error_body
from export.settings import Settings
from scheduler.store import open_database, transact, using

log = logging.getLogger(__name__)

SHOWN = {"application/pdf", "image/gif", "image/jpeg", "image/png", "text/plain"}
"""Files that a browser may show itself: nothing in them acts in this server's name."""


class ExportApp:
    """Answers `/export/...`; every request reads one snapshot and commits nothing."""

    def __init__(self, database: DB, settings: Settings, owned: bool) -> None:
        self.database = database
        self.settings = settings
        self._owned = owned
        for branch in (catalogue.BRANCH, auth.BRANCH):
            transact(database, branch.get, note="prepare the export")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        return self.respond(Request(environ))(environ, start_response)

    def close(self) -> None:
        """Close the database, if it was opened here."""
        if self._owned:
            self.database.close()

    def respond(self, http: Request) -> Response:
        """Return the answer to *http*; errors are answers too."""
        request = ExportRequest(http)
        writer: Any = json
        try:
            resource, match = _find(request)
            if match["format"] in PLAIN:
                writer = FORMATS[match["format"]]
            if request.method not in ("GET", "HEAD"):
                raise WrongMethod("This action requires GET", {"Allow": "GET, HEAD"})
            answer = self._answer(request, resource, match)
            if isinstance(answer, File):
                return _file(answer, http)
            writes = FORMATS[match["format"]]
            content = writes.write(
                self._body(answer, request), request, pretty=request.take_flag("p", "pretty")
            )
            return Response(content, 200, content_type=writes.CONTENT_TYPE)
        except RequestException as error:
            return _refuse(error, request, writer)
        except StorageError:
            log.exception("the database does not answer")
            return _refuse(ServiceUnavailable("The database does not answer"), request, writer)
        except Exception:
            log.exception("%s failed", request.path)
            return _refuse(InternalFailure("Internal error; the log tells more"), request, writer)

    def _answer(self, request: ExportRequest, resource: Any, match: re.Match[str]) -> Answer:
        with self._snapshot():
            user = auth.authenticate(request, self.settings)
            answer: Answer = resource.answer(request, match, user, self.settings)
            return answer

    def _body(self, answer: Any, request: ExportRequest) -> Any:
        if isinstance(answer, Bare):
            return answer.data
        query = f"?{request.shown_query}" if request.shown_query else ""
        return envelope(answer, f"{self.settings.base_url}{request.path}{query}")

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        manager = transaction.TransactionManager(explicit=True)
        connection = self.database.open(transaction_manager=manager)
        try:
            manager.begin()
            with using(connection):
                yield
        finally:
            manager.abort()
            connection.close()


def make_app(database: DB | str, config: Mapping[str, Any] | Settings | None = None) -> ExportApp:
    """Return the WSGI application for *database*, a ZODB.DB or a URI.

    *config* is described by Settings; an unknown or bad one raises
    ExportConfigurationException. Listeners of installed packages are subscribed.
    """
    settings = Settings.of(config)
    subscribe_installed()
    if isinstance(database, str):
        return ExportApp(open_database(database), settings, owned=True)
    return ExportApp(database, settings, owned=False)


def _find(request: ExportRequest) -> tuple[Any, re.Match[str]]:
    if request.is_too_long:
        raise AddressTooLong(f"Path and query may have {LONGEST} characters together")
    for resource in RESOURCES:
        match = resource.PATTERN.fullmatch(request.decoded_path)
        if match and match["format"] in resource.FORMATS:
            return resource, match
        if match:
            raise UnknownResource(
                f"Unknown format '{match['format']}'; known are {', '.join(resource.FORMATS)}"
            )
    raise UnknownResource(f"Nothing is exported at '{request.path}'")


def _file(answer: File, http: Request) -> Response:
    response = Response(
        wrap_file(http.environ, answer.content),
        content_type=answer.content_type,
        direct_passthrough=True,
    )
    response.content_length = answer.size
    response.last_modified = answer.modified
    response.cache_control.private = True
    response.cache_control.no_cache = True
    response.headers["X-Content-Type-Options"] = "nosniff"
    shown = "inline" if answer.content_type in SHOWN else "attachment"
    response.headers.set("Content-Disposition", shown, filename=answer.name)
    return response


def _refuse(error: RequestException, request: ExportRequest, writer: Any) -> Response:
    body = error_body(error.message)
    try:
        content = writer.write(body, request, pretty=False)
    except RequestException:  # the callback's name is what is wrong
        writer = json
        content = json.write(body, request, pretty=False)
    return Response(content, error.status, error.headers, content_type=writer.CONTENT_TYPE)
