"""Long work on an agent as tasks: with progress, a log, and an end that is recorded."""

from __future__ import annotations

from ZODB.Connection import Connection

from livesync.delivery.push_agent import push_agent
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.resync.full_export import FullExport
from livesync.resync.inventory import number_of_keys
from livesync.resync.verification import Verification
from scheduler import attempt, task
from scheduler.errors import WorkerLost
from scheduler.store import connection_of
from scheduler.tasks import NEVER, Retry

KEY = "livesync agent {agent_id}"
"""The unique key of a task: an agent has one at a time."""

SOON = Retry(first=5, longest=600)


@task(
    maxTries=20,
    retries={Exception: NEVER, AgentExecutionException: SOON, WorkerLost: SOON},
    alone=True,
    uniqueKey=KEY,
)
def export_all(agent_id: str) -> str:
    """Send all there is to the agent, as of one moment; it follows from there.

    An attempt goes on where the one before was broken off.
    """
    connection = connection_of(attempt.task)
    behind, keys = _reached(connection, agent_id)

    def tell(records: int) -> None:
        attempt.checkCancelled()
        share = (behind + export.keys) / keys if keys else 1.0
        attempt.progress(share, f"{records} records are sent")

    export = FullExport(connection.db(), agent_id, progress=tell)
    return f"{export.send().records} records are sent"


def _reached(connection: Connection, agent_id: str) -> tuple[int, int]:
    """Return behind how many keys the export to the agent is, and how many there are."""
    progress = push_agent(connection, agent_id).delivery_state.full_export
    keys = number_of_keys(connection)
    return (0 if progress is None else keys - number_of_keys(connection, progress.key)), keys


@task(
    maxTries=5,
    retries={Exception: NEVER, AgentBusyException: SOON, WorkerLost: SOON},
    alone=True,
    uniqueKey=KEY,
)
def verify(agent_id: str, repair: bool = False) -> str:
    """Compare what the agent's target has with the database; with *repair* send what differs."""
    database = connection_of(attempt.task).db()
    found = Verification(database, agent_id).run(repair=repair)
    for each in found.differences[:SHOWN]:
        attempt.log.warning("agent %s: object %s is %s", agent_id, each.obj_id, each.what)
    return (
        f"{found.compared} objects compared, {len(found.differences)} differ, "
        f"{found.repaired} repaired; {found.on_the_way} are on the way"
    )


SHOWN = 100
"""How many differences are written to the log of the attempt."""
