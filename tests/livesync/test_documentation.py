"""What docs/livesync.md shows, run."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from persistent import Persistent

from livesync import SyncManager
from scheduler import SchedulerModule
from scheduler.store import using

DOCUMENT = Path(__file__).parents[2] / "docs" / "livesync.md"


class Book(Persistent):
    title = ""

    def getId(self):
        return "b1"


@pytest.fixture
def shown(monkeypatch):
    """A module with all the code that the document shows."""
    module = types.ModuleType("shown_in_livesync_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for code in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        exec(compile(code, str(DOCUMENT), "exec"), module.__dict__)  # noqa: S102 (our own text)
    return module


def test_the_agent_of_the_document_keeps_its_catalogue(shown, database):
    with using(database.open()) as connection:
        shown.install()
        book = connection.root()["book"] = Book()
        shown.rename(book, "Walden")
        shown.transaction.commit()
        agent = SyncManager.getDBInstance().getAgent("catalogue")
        assert agent.run(None)
        agent.acknowledge()
        shown.transaction.commit()

        assert shown.catalogue == {"b1": "Walden"}
        assert SchedulerModule.getDBInstance().getStatus()["spooled"] == 1
        shown.listener.deleted(book, None)
        assert agent.run(None)
        assert shown.catalogue == {}
        shown.transaction.abort()
        connection.close()
