"""Long work on an agent as tasks: with progress, a log, and an end that is recorded."""

from __future__ import annotations

from livesync.resync.full_export import FullExport
from livesync.resync.verification import Verification
from scheduler import attempt, task
from scheduler.store import connection_of


@task(maxTries=1, alone=True, uniqueKey="livesync agent {agent_id}")
def export_all(agent_id: str) -> str:
    """Send all there is to the agent, as of one moment; it follows from there."""
    database = connection_of(attempt.task).db()
    sent = FullExport(database, agent_id, progress=_tell).send()
    return f"{sent.records} records are sent"


@task(maxTries=1, alone=True, uniqueKey="livesync agent {agent_id}")
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


def _tell(records: int) -> None:
    attempt.checkCancelled()
    attempt.progress(0.0, f"{records} records are sent")
