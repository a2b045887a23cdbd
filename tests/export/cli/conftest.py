"""`indico_export` on a database with the event of reference 5.3.2."""

from __future__ import annotations

from contextlib import closing

import pytest

from export.cli.main import main
from scheduler.store import open_database, transact
from tests.export.planting import plant


@pytest.fixture
def run(uri, capsys):
    """Run `indico_export`; return what it says."""
    with closing(open_database(uri)) as database:
        transact(database, plant)

    def call(*words, status=0):
        verb, options = words[:2], words[2:]
        assert main([*verb, "--database", uri, *options]) == status
        said = capsys.readouterr()
        return said.err if status else said.out

    call.uri = uri
    return call
