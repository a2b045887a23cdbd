"""The top of each package shows its rooms and its documented names, and no more than that."""

from __future__ import annotations

import pytest

from tests.house.sentences import HOME, PACKAGES

LIMIT = 25


@pytest.mark.parametrize("package", PACKAGES)
def test_the_top_of_a_package_has_few_entries(package):
    entries = [each.name for each in (HOME / package).iterdir() if each.name != "__pycache__"]
    assert len(entries) <= LIMIT, f"put what is no documented name into a room: {sorted(entries)}"
