"""The site that tests ask what changed."""

from __future__ import annotations

from contextlib import closing

import pytest

from scheduler.store import open_database
from tests.export.answers.site import Site


@pytest.fixture
def site(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        site = Site(database)
        yield site
        site.app.close()
