"""The layout of an older release is shown and brought up to date, part by part."""

from __future__ import annotations

import json
import re

import pytest
import transaction

from daemon.cli.main import main
from daemon.maintenance.upgrade import MODULES
from daemon.service import plant
from export.auth.api_keys import SCHEMA, key_ring
from scheduler.store import connect
from scheduler.store.observed import ROOT_KEY
from tests.house.sentences import PACKAGES
from tests.places import ROOT

OWN = re.compile(r"^SCHEMA\b.*= Schema\(", re.MULTILINE)


@pytest.fixture(autouse=True)
def database(uri, monkeypatch):
    monkeypatch.setenv("SCHEDULER_DATABASE", uri)
    with connect() as connection:
        plant(connection)
        key_ring(connection)
        transaction.commit()


def set_version(version):
    with connect() as connection:
        parts = connection.root()[ROOT_KEY]
        parts[SCHEMA.name] = (version, parts[SCHEMA.name][1])
        transaction.commit()


def stored():
    with connect() as connection:
        return connection.root()[ROOT_KEY][SCHEMA.name][0]


def test_an_older_layout_is_shown_and_upgraded(capsys):
    set_version(1)
    assert main(["db", "upgrade", "--dry-run", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)
    assert steps == [{"part": "apikeys", "stored": 1, "known": 2}]
    assert stored() == 1
    assert main(["db", "upgrade"]) == 0
    assert "apikeys is upgraded from version 1 to 2" in capsys.readouterr().out
    assert stored() == 2
    assert main(["db", "upgrade"]) == 0
    assert "the layout is up to date" in capsys.readouterr().out


def test_a_newer_layout_is_refused(capsys):
    set_version(99)
    assert main(["db", "upgrade"]) == 1
    assert "has version 99, this software knows versions up to 2" in capsys.readouterr().err
    assert stored() == 99


def test_each_part_of_the_product_is_known():
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    own = [file for file in files if OWN.search(file.read_text())]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in own}
    assert names == set(MODULES), "name it in MODULES of daemon/maintenance/upgrade.py"
