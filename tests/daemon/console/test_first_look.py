"""The first look of a new user: a failure of the demonstration is found, mended and retried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture
def page(browser):
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_the_failure_of_the_demonstration_is_found_mended_and_retried(start_demo, page, picture):
    demo = start_demo()
    url = demo.wait_until_up()
    page.goto(url)
    page.get_by_text("failed for good within a day").wait_for()
    picture(page, "console")
    page.get_by_role("link", name="Tasks", exact=True).click()
    page.get_by_role("link", name="Failed", exact=True).click()
    page.get_by_role("link", name="daemon.demo.sample.ThankSponsor").click()
    said = page.locator(".cause").text_content()
    sponsor = re.search(r"write the name into (\S+), and retry", said)[1]
    assert page.get_by_role("button", name="Retry").count() == 0

    Path(sponsor).write_text("ACME & Söhne\n", encoding="utf-8")
    page.get_by_role("link", name="Log in").first.click()
    page.get_by_label("Login").fill("demo")
    page.get_by_label("Password").fill(re.search(r"with the password (\S+)", demo.text)[1])
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Retry").click()
    page.locator("h1 .state", has_text="finished").wait_for()
    page.locator(".differences .after", has_text="Sponsored by ACME & Söhne").wait_for()

    page.goto(f"{url}/tasks")
    page.get_by_role("link", name="daemon.demo.sample.DescribeEvent").click()
    page.locator(".differences .after", has_text="Described by a task").first.wait_for()
    picture(page, "console-task")
    page.goto(f"{url}/agents")
    page.get_by_role("heading", name="Agents").wait_for()
    picture(page, "console-agents")
    assert demo.end() == 0
    assert "Traceback" not in demo.text
