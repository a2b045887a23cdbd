"""Each page of the console in a browser: for everybody, in each light and at each width.

Covers `daemon.console.pages.audit`, `daemon.console.rendering`.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from daemon.console.pages import PAGES
from tests.daemon.console.conftest import DESKTOP, PHONE

PATHS = [page.path for page in PAGES if "<" not in page.path]


@pytest.fixture(scope="module")
def axe():
    return Axe()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_everybody_can_read_each_page(visit, axe, path, viewport, scheme):
    page = visit(path, viewport=viewport, scheme=scheme)
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
