"""What docs/rooms.md and docs/schedule-api.md show, done as their reader would."""

from __future__ import annotations

import re

import pytest

from export.resources.reservation import FLAGS
from tests.export.test_documentation import DOCS, blocks, do, server

ROOMS = (DOCS / "rooms.md").read_text()
SCHEDULES = (DOCS / "schedule-api.md").read_text()

__all__ = ["do", "server"]


@pytest.fixture
def scripts(tmp_path):
    """The documents' scripts, in the reader's folder."""
    for code in blocks("python", ROOMS + SCHEDULES):
        name = re.match(r"# (\w+\.py)\n", code).group(1)
        (tmp_path / name).write_text(code)


@pytest.mark.usefixtures("scripts")
def test_the_documents_can_be_followed_from_making_rooms_to_schedules(do, server):
    (make,), (made, booked) = blocks("sh", ROOMS), blocks("text", ROOMS)
    (scheduled,) = blocks("text", SCHEDULES)

    assert do(make) == made
    booker, _ = re.findall(
        r"\w+ (\S+)",
        do("indico_export token create --user 7 --name b --scope write:legacy_api"),
    )
    assert do(f"python book.py {server} {booker}") == booked
    token, *_ = re.findall(
        r"\w+ (\S+)", do("indico_export token create --user 7 --name s --scope full:everything")
    )
    assert do(f"python schedule.py {server} {token}") == scheduled


def test_the_document_names_every_parameter():
    for flag in FLAGS:
        for name in flag.names:
            assert f"`{name}`" in ROOMS
