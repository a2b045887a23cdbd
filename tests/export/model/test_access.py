"""Categories that are moved, and objects that are open to some domains only.

Covers `export.fossils.allowed`, `export.model.category`.
"""

from __future__ import annotations

import pytest

from export.errors import CatalogueException
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference


@pytest.fixture
def found(connection):
    found = catalogue(connection)
    found.add_category(Category("a"))
    found.add_category(Category("b"), found.category("a"))
    found.add_event(Conference("1"), found.category("b"))
    return found


def test_a_moved_category_takes_its_events_along(found):
    found.add_category(Category("c"))
    found.move_category(found.category("b"), found.category("c"))

    assert found.category("c").getSubCategoryList() == [found.category("b")]
    assert list(found.index.between("c", None, None)) == ["1"]
    assert list(found.index.between("a", None, None)) == []


@pytest.mark.parametrize(("moved", "into"), [("0", "a"), ("a", "a"), ("a", "b")])
def test_a_category_cannot_be_put_into_itself(found, moved, into):
    with pytest.raises(CatalogueException):
        found.move_category(found.category(moved), found.category(into))


def test_an_object_open_to_a_domain_is_seen_from_there_and_by_those_named(found):
    event = found.event("1")
    found.category("a").require_domain("cern.ch")
    event.grant_access("ann")

    assert event.getDomainList() == ["cern.ch"]
    assert event.hasAnyProtection()
    assert [event.canAccess(user) for user in (None, "bob", "ann")] == [False, False, True]
    assert event.getRecursiveAllowedToAccessList() == ["ann"]
    found.category("a").free_domain("cern.ch")
    assert event.canAccess(None)


def test_an_event_that_is_open_to_all_is_so_wherever_it_is(found):
    found.category("a").require_domain("cern.ch")
    event = found.event("1")
    event.setProtection(Protection.PUBLIC)
    assert event.canAccess(None)
    event.require_domain("fnal.gov")
    assert not event.canAccess(None)
