"""The page about the architecture names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
TEXT = (HOME / "docs" / "architecture.md").read_text()
PACKAGES = ("scheduler", "livesync", "export", "daemon")
FILES = sorted(set(re.findall(r"`((?:scheduler|livesync|export|daemon)/[\w/]+\.py)`", TEXT)))
ROOMS = sorted(
    f"{package}/{folder.name}"
    for package in PACKAGES
    for folder in (HOME / package).iterdir()
    if (folder / "__init__.py").exists()
)


@pytest.mark.parametrize("file", FILES)
def test_each_file_that_the_page_names_exists(file):
    assert (HOME / file).is_file()


@pytest.mark.parametrize("room", ROOMS)
def test_the_picture_of_the_page_has_each_room(room):
    package, name = room.split("/")
    picture = TEXT.split("```")[1]
    rows = re.split(rf"\n(?=(?:{'|'.join(PACKAGES)}|ZODB)\b)", picture)
    (row,) = [one for one in rows if one.strip().startswith(package)]
    assert name in re.split(r"[\s·]+", row)
