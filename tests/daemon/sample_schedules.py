"""Functions that declare schedules, for the tests of the daemon."""

from __future__ import annotations

from scheduler import task


@task(every=600, maxTries=1)
def fail_often():
    raise ValueError("as always")


@task(cron="0 0 1 1 *")
def rarely():
    pass
