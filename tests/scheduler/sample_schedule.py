"""A function that declares a schedule, for tests."""

from __future__ import annotations

from scheduler import task
from scheduler.store import current


@task(every=0.3)
def tick():
    root = current().root()
    root["ticks"] = root.get("ticks", 0) + 1
