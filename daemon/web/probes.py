"""Probes: whether the process lives, and whether each of its parts is ready, for who runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

Probe: TypeAlias = Callable[[], str]
"""Returns the reason why not; empty if all is well."""

LIVE, READY = "/health/live", "/health/ready"
LEADER, STANDBY, WEB = f"{READY}/leader", f"{READY}/standby", f"{READY}/web"
PATHS = (LIVE, READY, LEADER, STANDBY, WEB)


class Probes:
    """The probes of a daemon.

    *standstill* returns why the loop of the scheduler is not alive, *fault* why the daemon cannot
    do its work, *database_fault* why the database cannot be read; *leads* whether it leads.
    """

    def __init__(
        self,
        standstill: Probe,
        fault: Probe,
        database_fault: Probe,
        leads: Callable[[], bool],
    ) -> None:
        self._standstill = standstill
        self._fault = fault
        self._database_fault = database_fault
        self._leads = leads

    def by_path(self) -> Mapping[str, Probe]:
        """Return the probe of each of PATHS."""
        parts = (self.live, self.ready, self.leader, self.standby, self.web)
        return dict(zip(PATHS, parts, strict=True))

    def live(self) -> str:
        """Return why a restart is needed: the loop stands still, and not for the database."""
        reason = self._standstill()
        return "" if reason and self._database_fault() else reason

    def ready(self) -> str:
        """Return why neither tasks nor requests are served as they should be."""
        return self._fault()

    def leader(self) -> str:
        """Return why tasks are not run by this daemon."""
        return self._fault() if self._leads() else "this daemon does not lead: it stands by"

    def standby(self) -> str:
        """Return why this daemon could not take over."""
        return "this daemon leads" if self._leads() else self._fault()

    def web(self) -> str:
        """Return why requests cannot be answered."""
        return self._database_fault()
