"""The glue for Pyramid: `config.include("daemon.pyramid")`.

Each request has the database's connection, in the transaction of `pyramid_tm`: `Client()` in a
view enqueues when the request's transaction commits, or never.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from transaction.interfaces import NoTransaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.FileStorage import FileStorage

from livesync.watching import install
from scheduler.errors import OutcomeUnknown, StoreException
from scheduler.runtime.origin import enqueued_by
from scheduler.storage.outage import is_outage
from scheduler.store import open_database
from scheduler.store.current import offering
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.extras import extra_needed

with extra_needed():
    from pyramid.config import Configurator
    from pyramid.exceptions import ConfigurationError
    from pyramid.request import Request
    from pyramid.response import Response
    from pyramid.tweens import EXCVIEW
    from pyramid_retry import mark_error_retryable

log = logging.getLogger(__name__)

SETTING = "relay.database"
TM_TWEEN = "pyramid_tm.tm_tween_factory"
# How often a request is made that meets conflicts, or the end of the database's server.
ATTEMPTS = 5
OUTAGE_SECONDS = 0.5

NO_DATABASE = (
    "daemon.pyramid has no database: set relay.database, as in file:///var/lib/app/data.fs, or "
    f"${URI_VARIABLE}, or include pyramid_zodbconn before it"
)

Handler = Callable[[Request], Response]


def includeme(config: Configurator) -> None:
    """Give each request the database of the setting `relay.database`, and its transaction.

    Without the setting it is the database of `pyramid_zodbconn` (`zodbconn.uri`), else that of
    $SCHEDULER_DATABASE. Includes `pyramid_tm` and `pyramid_retry`. The connection is
    `request.zodb_connection`; it is the current one, and opened where it is asked for. Raises
    ConfigurationError where there is no database, and for one that cannot be opened.
    """
    config.registry.settings.setdefault("retry.attempts", str(ATTEMPTS))
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    config.registry["zodb_database"] = database = _database(config)
    install(database)
    config.add_request_method(connection_of, "zodb_connection", reify=True)
    config.add_tween("daemon.pyramid.current_tween", under=TM_TWEEN, over=EXCVIEW)


def connection_of(request: Request) -> Connection:
    """Return the connection of *request*, which is closed when that is finished."""
    registry = request.registry
    if registry["zodb_database"] is _of_zodbconn(registry):
        from pyramid_zodbconn import get_connection

        return get_connection(request)
    connection = registry["zodb_database"].open(transaction_manager=request.tm)
    request.add_finished_callback(lambda _: _close(connection))
    return connection


def current_tween(handler: Handler, registry: MutableMapping[str, Any]) -> Handler:
    """Return the tween that makes the connection of a request the current one."""

    def tween(request: Request) -> Response:
        try:
            at = f"{request.method} {request.path}"
            with offering(lambda: request.zodb_connection), enqueued_by(request=at):
                return handler(request)
        except Exception as error:
            if is_outage(error) and not isinstance(error, OutcomeUnknown):
                # Another process begins to serve the database, or its server is restarted.
                time.sleep(OUTAGE_SECONDS)
                mark_error_retryable(error)
            raise

    return tween


def _database(config: Configurator) -> DB:
    uri = config.registry.settings.get(SETTING) or ""
    if not uri and "zodbconn.uri" in config.registry.settings:
        config.include("pyramid_zodbconn")
    theirs = _of_zodbconn(config.registry)
    if not uri and theirs is not None:
        _warn_of_file(theirs)
        return theirs
    uri = uri or os.environ.get(URI_VARIABLE, "")
    if not uri:
        raise ConfigurationError(NO_DATABASE)
    try:
        return open_database(uri)
    except StoreException as error:
        raise ConfigurationError(f"daemon.pyramid: {error}") from error


def _of_zodbconn(registry: Any) -> DB | None:
    databases: dict[str, DB] = getattr(registry, "_zodb_databases", None) or {}
    return databases.get("")


def _warn_of_file(database: DB) -> None:
    if isinstance(database.storage, FileStorage):
        file = database.storage.getName()
        log.warning(
            "pyramid_zodbconn has opened %s for this process alone, so that no daemon and no "
            "other process can: write 'relay.database = file://%s' in place of zodbconn.uri",
            *(file, os.path.abspath(file)),
        )


def _close(connection: Connection) -> None:
    try:
        connection.transaction_manager.abort()
    except NoTransaction:
        log.debug("connection %s closed outside of a transaction", connection)
    connection.close()
