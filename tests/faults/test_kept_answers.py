"""Kept answers follow the changes of other processes on every storage, and after a fork.

Covers `export.answers`, `scheduler.store.invalidations`, `scheduler.store.read_set`.
"""

from __future__ import annotations

import random
from contextlib import closing
from functools import partial
from itertools import product

import pytest

from export.app import make_app
from scheduler.store import open_database
from tests.export.answers.random_writes import ADDRESSES, ASKERS, RandomWrites
from tests.export.answers.test_kept_answers import BASE, Site
from tests.faults.test_fork import embedded, joined, postgresql, zeo  # noqa: F401 (fixtures)
from tests.scheduler.harness import output_of
from tests.waiting import wait_for

WRITES = 15

FORKED = """
import os, sys
from werkzeug.test import Client
from export.app import make_app
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.app import make_app
from scheduler.store import open_database, transact

database = open_database(sys.argv[1])
transact(database, lambda found: catalogue(found).add_event(Conference("1", "Old")))
client = Client(make_app(database, {"base_url": "https://x.example"}))

def title():
    return client.get("/export/event/1.json").json["results"][0]["title"]

titles = [title(), title()]
ready, done = os.pipe()
if os.fork() == 0:
    os.read(ready, 1)
    told = [title()]
    transact(database, lambda found: catalogue(found).event("1").setTitle("Child's"))
    print(*titles, *told, title(), flush=True)
    os._exit(0)
transact(database, lambda found: catalogue(found).event("1").setTitle("New"))
os.write(done, b"x")
os.wait()
print(title(), flush=True)
"""


@pytest.fixture(params=["embedded", "joined", "zeo", "postgresql"])
def uri(request):
    return request.getfixturevalue(request.param)


def test_changes_of_another_client_are_in_every_answer(uri):
    chance = random.Random(7)
    with closing(open_database(uri)) as own, closing(open_database(uri)) as other:
        site, writes = Site(own), RandomWrites(other, 7)
        computing = make_app(other, {**BASE, "answer_cache": 0})
        asked = chance.sample(list(product(ADDRESSES, ASKERS)), 6)
        for _ in range(WRITES):
            writes.commit_one()
            for address, user in asked:
                wait_for(partial(has_answer_of_the_writer, site, computing, address, user))
        assert site.cache.size
        computing.close()
        site.close()


def has_answer_of_the_writer(site, computing, address, user):
    """Say whether the kept answer is that which the other client computes."""
    return site.ask(site.keeping, address, user) == site.ask(computing, address, user)


def test_a_forked_process_hears_of_changes_itself(tmp_path):
    told = output_of(FORKED, f"file://{tmp_path}/data.fs")
    assert told.split() == ["Old", "Old", "New", "Child's", "Child's"]
