"""Resealing: at its start the daemon encrypts the secrets that are not encrypted with its key."""

from __future__ import annotations

import logging

from ZODB import DB
from ZODB.Connection import Connection

from export.auth.api_keys import key_ring
from export.auth.feeds import feeds
from livesync import SyncManager
from livesync.agents.target import TargetAgent
from scheduler.errors import SecretUnreadable
from scheduler.store import transact
from scheduler.store.encryption import has_key

log = logging.getLogger(__name__)


def reseal(database: DB) -> None:
    """Encrypt the database's secrets with the installation's present key, where it has one.

    A secret that cannot be read is logged, and stays unchanged.
    """
    if not has_key():
        return
    try:
        transact(database, _reseal, note="daemon: encrypt secrets")
    except SecretUnreadable as error:
        log.error("secrets are not encrypted anew: %s", error)  # noqa: TRY400 (it says it all)


def _reseal(connection: Connection) -> None:
    for key in key_ring(connection):
        key.reseal()
    for feed in feeds(connection):
        feed.reseal()
    for agent in SyncManager.getDBInstance(connection).getAllAgents().values():
        if isinstance(agent, TargetAgent):
            agent.reseal()
