"""The list and the search of categories."""

from __future__ import annotations

from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from scheduler.store import transact
from tests.export.planting import get

PATH = "/export/category"


def more(connection):
    found = catalogue(connection)
    found.add_category(Category("3", "Schools of Physics"), found.category("2"))
    closed = Category("4", "Secret Physics")
    found.add_category(closed)
    closed.setProtection(Protection.RESTRICTED)


def ids(client, address):
    return [one["id"] for one in get(client, address)]


def test_categories_are_listed_and_found_by_who_may_see_them(planted, database):
    transact(database, more)
    assert ids(planted, f"{PATH}.json") == ["0", "2", "3"]
    assert ids(planted, f"{PATH}.json?parent=2") == ["3"]
    assert ids(planted, f"{PATH}/search/physics.json") == ["3"]
    assert ids(planted, f"{PATH}/3-4-2.json") == ["3", "2"]


def test_a_category_tells_what_it_is_in(planted):
    (shown,) = get(planted, f"{PATH}/2.json")
    assert (shown["title"], shown["parentId"]) == ("TEST Category", "0")
    assert shown["url"] == "https://indico.server/category/2/"
