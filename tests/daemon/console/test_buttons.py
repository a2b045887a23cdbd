"""Each button of the console is clicked by a test, which its mark `clicks` names.

Covers `tests.daemon.console.buttons`.
"""

from __future__ import annotations

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.daemon.console.buttons import shapes

HERE = Path(__file__).parent


def clicked():
    """Return the buttons that the marks of all tests here name."""
    return {
        argument.value
        for file in HERE.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.clicks"
        for argument in node.args
    }


@pytest.mark.parametrize("shape", sorted(shapes()))
def test_a_test_clicks_the_button(shape):
    assert [each for each in clicked() if fnmatchcase(each, shape)], f"nobody clicks {shape}"


def test_each_button_that_is_clicked_is_in_a_template():
    known = shapes()
    lost = {each for each in clicked() if not any(fnmatchcase(each, shape) for shape in known)}
    assert lost == set()
