"""A large category is answered in little memory: page by page, and in one answer."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from export.model.catalogue import catalogue
from export.model.conference import Conference
from scheduler.store import open_database, transact

EVENTS = 20_000 if os.environ.get("SOAK") else 1_100
AT_ONCE = 500
MEGABYTES = 150
START = datetime(2026, 1, 1, tzinfo=UTC)

READ = """
import re, sys
from pathlib import Path
from werkzeug.test import Client
from export.app import make_app

app = make_app(sys.argv[1])
address, ids = sys.argv[2], []
while address:
    answer = Client(app).get(address)
    ids += [one["id"] for one in answer.json["results"]]
    address = answer.headers.get("Link", "")[1:].partition(">")[0]
app.close()
# The usage that the system tells begins with that of the parent process.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(len(ids), len(set(ids)), int(peak[1]) // 1024)
"""


SEND = """
import re, sys
from pathlib import Path
from werkzeug.test import Client
from export.app import make_app

app = make_app(sys.argv[1])
answer = Client(app).get(sys.argv[2], buffered=False)
found = re.compile(rb'/event[^0-9a-z]+([0-9]+)').findall
ids = [one for piece in answer.iter_encoded() for one in found(piece)]
app.close()
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(len(ids), len(set(ids)), int(peak[1]) // 1024)
"""


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    uri = f"file://{tmp_path_factory.mktemp('large')}/data.fs"
    with closing(open_database(uri)) as database:
        for first in range(0, EVENTS, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, EVENTS))
            transact(database, lambda connection, numbers=numbers: add(connection, numbers))
    return uri


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("code", "address"),
    [(READ, "/export/categ/0.json"), (SEND, "/export/categ/0.json?limit=all")],
    ids=["by pages", "in one answer"],
)
def test_all_events_of_a_large_category_are_read_in_little_memory(uri, code, address):
    ran = subprocess.run(
        [sys.executable, "-c", code, uri, address], capture_output=True, text=True, check=True
    )
    count, distinct, megabytes = map(int, ran.stdout.split())
    assert (count, distinct) == (EVENTS, EVENTS)
    assert megabytes < MEGABYTES


def add(connection, numbers):
    found = catalogue(connection)
    for number in numbers:
        event = Conference(str(number), f"Event number {number}")
        start = START + timedelta(hours=number)
        event.setDates(start, start + timedelta(hours=1))
        found.add_event(event, found.root)
