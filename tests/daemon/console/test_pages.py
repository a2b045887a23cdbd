"""Each page of the console in a browser: for everybody, in each light and at each width.

Covers `daemon.console.pages.audit`, `daemon.console.rendering`.
"""

from __future__ import annotations

import pytest

from daemon.console.pages import PAGES
from tests.daemon.console.conftest import DESKTOP, PASSWORD, PHONE

PATHS = [page.path for page in PAGES if page.label]


WIDER_TILES = """[...document.querySelectorAll(".tiles dd")]
  .filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.outerHTML)"""


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_everybody_can_read_each_page(visit, axe, path, viewport, scheme):
    page = visit(path, viewport=viewport, scheme=scheme)
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "light"), (DESKTOP, "dark")])
def test_everybody_can_log_in(visit, axe, viewport, scheme):
    page = visit("/login", user=None, viewport=viewport, scheme=scheme)
    page.get_by_label("Login").fill("ann")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.locator("#password-fault").wait_for()
    assert page.get_by_label("Login").input_value() == "ann"
    assert page.get_by_label("Password").evaluate("field => field === document.activeElement")
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
    card, field = (page.locator(each).bounding_box() for each in (".card", "#password"))
    assert card["x"] < field["x"]
    assert field["x"] + field["width"] < card["x"] + card["width"] <= viewport["width"]


@pytest.mark.clicks("login.html: Log in", "base.html: Log out")
def test_who_logs_in_sees_the_page_and_who_logs_out_does_not(visit):
    page = visit("/audit", user=None, expected="status of 401")
    page.get_by_label("Login").fill("vera")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Audit").wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("heading", name="Log in").wait_for()
    page.goto("/audit")
    page.get_by_role("heading", name="Log in").wait_for()


def test_everybody_can_read_a_refusal(visit, axe):
    page = visit("/audit/nothing", expected="status of 404", user=None)
    page.get_by_role("heading", name="Not Found").wait_for()
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_document_shows_its_pictures(visit):
    page = visit("/documents/console")
    pictures = page.locator("main img")
    assert pictures.count() >= 2
    assert pictures.evaluate_all("found => found.every(each => each.naturalWidth > 100)")


@pytest.mark.parametrize("path", ["/", "/database", "/audit"])
def test_on_a_phone_the_page_stands_in_the_navigation_and_numbers_in_their_tiles(visit, path):
    page = visit(path, viewport=PHONE)
    place = page.locator("nav [aria-current]").bounding_box()
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= PHONE["width"]
    page.evaluate(
        """document.querySelectorAll(".tiles dd:not(.small)").forEach((each) => {
          each.textContent = (9876543).toLocaleString("fr");
        })"""
    )
    assert page.evaluate(WIDER_TILES) == []
