from __future__ import annotations

import pytest

from export.errors import CatalogueException
from export.people.roles import Role, roles
from scheduler.store import transact


def test_users_have_no_role_until_one_is_given(database):
    assert transact(database, lambda found: roles(found).of("7")) is Role.NONE


def test_a_role_is_given_and_taken(database):
    def give(role):
        transact(database, lambda found: roles(found).give("7", role))
        return transact(database, lambda found: dict(roles(found)))

    assert give(Role.OPERATOR) == {"7": Role.OPERATOR}
    assert give(Role.NONE) == {}


def test_the_console_is_guarded_from_the_first_admin_on(database):
    def guarded_after(role):
        transact(database, lambda found: roles(found).give("7", role))
        return transact(database, lambda found: roles(found).is_guarded)

    assert [*map(guarded_after, (Role.VIEWER, Role.ADMIN, Role.NONE))] == [False, True, True]


def test_an_unknown_role_is_named_with_the_known_ones():
    assert Role.named("operator") is Role.OPERATOR
    with pytest.raises(CatalogueException, match="'boss': there are admin, operator, viewer, none"):
        Role.named("boss")
