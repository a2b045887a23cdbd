"""The tests that show a weakness to be gone are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def missing(shown_by):
    """Return the tests that *shown_by* names for its weaknesses, and that do not exist."""
    there = {
        name
        for file in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    return {name for names in shown_by.values() for name in names} - there
