"""The page of what users did in the console."""

from __future__ import annotations

from itertools import islice

from daemon.console.action_list import KEPT, actions_of
from daemon.console.page import ConsolePage, Facts
from daemon.console.visit import Visit

SHOWN = 200


def _facts(visit: Visit) -> Facts:
    return {"entries": list(islice(actions_of(visit.connection).newest(), SHOWN)), "kept": KEPT}


PAGE = ConsolePage("/audit", "audit.html", _facts, label="Audit")
