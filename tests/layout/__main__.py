"""The command: `python -m tests.layout` pins new paths.

`python -m tests.layout NAME` makes a database of the present layout as well. `python -m
tests.layout --answers` records anew how the export answers about the databases that there are,
which is right only where its answers were changed on purpose.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

import transaction

from scheduler.clock import TimeSource, timed_by
from scheduler.store import open_database, using
from scheduler.testing import Relay, StandingClock
from tests.layout import stored_paths
from tests.layout.sample import NOW, Sample, answers

HERE = Path(__file__).parent


def main(arguments):
    with tempfile.TemporaryDirectory() as folder, timed_by(StandingClock()) as clock:
        file = Path(folder) / "data.fs"
        if "--answers" in arguments:
            for name in names():
                unpack(name, file)
                record(name, file, json.loads(answers_of(name).read_text())["tokens"])
            return
        tokens = make(file, clock)
        stored_paths.pin(stored_paths.of_classes() | stored_paths.in_database(file))
        for name in arguments:
            stored_database(name).write_bytes(gzip.compress(file.read_bytes(), mtime=0))
            record(name, file, tokens)
    print(f"{stored_paths.LIST}: {len(stored_paths.pinned())} paths")


def names():
    """Return the names of the layouts of which there is a database."""
    return sorted(file.name.removesuffix(".fs.gz") for file in HERE.glob("*.fs.gz"))


def stored_database(name):
    return HERE / f"{name}.fs.gz"


def answers_of(name):
    return HERE / f"{name}.json"


def unpack(name, file):
    """Write the database of layout *name* as *file*."""
    file.write_bytes(gzip.decompress(stored_database(name).read_bytes()))


def make(file, clock):
    """Make the sample database *file*; return the tokens of its users."""
    database = open_database(f"file://{file}")
    connection = database.open()
    with using(connection):
        sample = Sample(Relay(database, connection, clock), file.parent / "folder")
        sample.plant()
    transaction.abort()
    connection.close()
    database.close()
    return sample.tokens


def record(name, file, tokens):
    """Record how the export answers about the database *file*."""
    TimeSource.get().now = NOW
    database = open_database(f"file://{file}")
    found = {"tokens": tokens, "answers": answers(database, tokens)}
    database.close()
    answers_of(name).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
