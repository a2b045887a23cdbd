"""The buttons of the console, as its templates have them.

A button is known by its template and its text, with a star for what differs from page to page:
`bulk.html: * them`. A new one needs a test that clicks it, with the mark `clicks`.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from daemon.console.pages import ACTIONS, PAGES
from daemon.console.rendering import HERE
from daemon.console.segment import CONVERTERS

BUTTON = re.compile(
    r'<(button|a class="button|summary class="button)\b.*?(?<!%)>(.*?)</', re.DOTALL
)
SHORT = re.compile(r'\{\{ act\("\w+", "(.+?)"')
OF_CALLER = "{{ label }}"
EITHER = re.compile(r'\{\{ ?"(.*?)" if [^{}]*? else "(.*?)" ?\}\}')
ELSE = "login.html"
"""The template of addresses that no page has."""


def shapes():
    """Return the buttons of all templates."""
    found = set()
    for file in (HERE / "templates").glob("*.html"):
        text = file.read_text(encoding="utf-8")
        long = (inner for _, inner in BUTTON.findall(text) if inner != OF_CALLER)
        for inner in (*long, *SHORT.findall(text)):
            found |= {f"{file.name}: {shape}" for shape in _shapes(inner)}
    return found


def _shapes(inner):
    """Return the texts that a button may have whose source is *inner*."""
    parts = EITHER.split(inner)
    plain, first, second = parts[::3], parts[1::3], parts[2::3]
    for chosen in product(*zip(first, second, strict=True)):
        text = plain[0] + "".join(a + b for a, b in zip(chosen, plain[1:], strict=True))
        text = re.sub(r"<.*", "*", text.strip(), flags=re.DOTALL)
        yield " ".join(re.sub(r"\{[{%].*?[}%]\}", "*", text).split())


@cache
def _pages():
    rules = [
        *(Rule(page.path, endpoint=page.template) for page in PAGES),
        *(Rule(action.path, endpoint=action.page.template) for action in ACTIONS),
    ]
    return Map(rules, converters=CONVERTERS).bind("localhost")


def template_of(path):
    """Return the template of the page at *path*, also where it answers a form."""
    try:
        return _pages().match(path)[0]
    except HTTPException:
        return ELSE
