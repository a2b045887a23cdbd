"""The site of the documentation is made as `make docs` does it, and has what was promised."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from scheduler import Client
from tests.docs import site
from tests.places import ROOT

LOADED = re.compile(
    r'<(?:script|img|iframe|link rel="(?:stylesheet|icon)")[^>]* (?:src|href)="(\w+:)?//'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=True,
        capture_output=True,
    )
    return folder


def test_each_document_is_a_page_of_the_site(folder):
    documents = {file.stem for file in (ROOT / "docs").glob("*.md")}
    assert documents | {"index", "changelog"} <= {page.stem for page in folder.glob("*.html")}


@pytest.mark.parametrize("package", site.DOORS)
def test_each_public_name_is_described_on_the_site(folder, package):
    page = (folder / "python" / f"{package}.html").read_text()
    places = [
        site.place(module, name)
        for module, names in site.public_names(package).items()
        for name in names
    ]
    assert [place for place in places if f'id="{place}"' not in page] == []


def test_a_method_is_described_with_its_docstring(folder):
    page = (folder / "python" / "scheduler.html").read_text()
    assert 'id="scheduler.Client.enqueue"' in page
    assert Client.enqueue.__doc__.split("\n")[0].split("*")[0] in page


def test_the_site_loads_nothing_from_elsewhere(folder):
    found = {page.name: LOADED.findall(page.read_text()) for page in folder.rglob("*.html")}
    assert [name for name, addresses in found.items() if addresses] == []
