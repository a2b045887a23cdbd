"""The start of an executor: the one that the settings ask for, on a database it can reach."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module

from ZODB import DB
from ZODB.interfaces import IMVCCStorage
from ZODB.utils import z64

from scheduler.errors import SchedulerConfigurationException
from scheduler.executors.base import Executor
from scheduler.executors.processes import ProcessExecutor
from scheduler.executors.threads import ThreadExecutor
from scheduler.settings import Settings
from scheduler.storage.embedded_server import STORAGE_NAME, EmbeddedServer
from scheduler.store import Database
from scheduler.values.extras import missing_extra

PRIVATE_SCHEMES = ("memory:", "demo:")


def start_executor(
    database: DB, settings: Settings, on_report: Callable[[], None], stack: ExitStack
) -> Executor:
    """Start the executor of `settings.multitask_mode`; *on_report* is called for each report.

    *stack* closes its further resources.
    """
    if settings.multitask_mode == "processes":
        uri = _shared_uri(database, stack)
        # A worker on RelStorage asks the server itself.
        is_asked = IMVCCStorage.providedBy(database.storage)
        last_transaction = (lambda: z64) if is_asked else database.lastTransaction
        return ProcessExecutor(uri, settings, last_transaction, on_report)
    if settings.multitask_mode == "dask":
        return _start_dask(_shared_uri(database, stack), settings, on_report)
    return ThreadExecutor(database, settings, on_report)


def _start_dask(uri: str, settings: Settings, on_report: Callable[[], None]) -> Executor:
    # Imported only where it is asked for: Dask is an extra, and slow to import.
    try:
        dask = import_module("scheduler.executors.dask")
    except ImportError as error:
        raise SchedulerConfigurationException(
            f"multitask_mode is 'dask', and {missing_extra(error) or error}"
        ) from None
    executor: Executor = dask.DaskExecutor(uri, settings, on_report)
    return executor


def _shared_uri(database: DB, stack: ExitStack) -> str:
    """Return a URI by which other processes reach *database*; serve it, if it has none."""
    if isinstance(database, Database) and not database.uri.startswith(PRIVATE_SCHEMES):
        return database.uri
    if IMVCCStorage.providedBy(database.storage):
        raise SchedulerConfigurationException(
            "worker processes cannot reach this database: give its URI as database=, or use "
            "multitask_mode='threads'"
        )
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="relay-"))
    server = EmbeddedServer(database, f"{folder}/database.sock")
    stack.callback(server.close)
    blobs = getattr(database.storage, "blob_dir", None)
    shared = f"&blob_dir={blobs}&shared_blob_dir=1" if blobs else ""
    return f"zeo://{server.path}?storage={STORAGE_NAME}&wait_timeout=10{shared}"
