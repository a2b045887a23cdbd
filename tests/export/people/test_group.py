"""Groups: who is in them, and what is open to those who are.

Covers `export.cli.groups`, `livesync.records.marc.access`.
"""

from __future__ import annotations

import contextlib
import json

import pytest
import transaction
import ZODB
from hypothesis import given
from hypothesis import strategies as st

from export.errors import CatalogueException
from export.imports.loader import load
from export.imports.source import items_of
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.registration import RegistrationForm
from export.people.group import Group, groups, is_among
from export.people.user import Avatar, users
from livesync.records.marc.access import access_list
from scheduler.store import transact
from tests.export.cli.conftest import run
from tests.export.cli.test_rooms import look, made
from tests.export.planting import get
from tests.export.planting_rooms import key_of, local, slots
from tests.places import SMALL_EVENT

__all__ = ["made", "run"]

PATH = "/export/event/137346.json"
NAMES = st.integers(0, 5)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), NAMES, st.one_of(NAMES, st.sampled_from("abc")))
)


def members_of(inside, name, seen=()):
    """Return who is in the group *name*, the slow way."""
    return {
        user
        for member in inside[name]
        if member not in seen
        for user in (
            [member] if isinstance(member, str) else members_of(inside, member, {*seen, name})
        )
    }


@given(changes=CHANGES)
def test_members_are_found_in_groups_of_groups_after_any_changes_and_in_circles(changes):
    found = {name: Group(str(name)) for name in range(6)}
    inside = {name: set() for name in found}
    for change, name, member in changes:
        getattr(found[name], change)(found.get(member, member))
        inside[name] |= {member}
        if change == "remove":
            inside[name] -= {member}
    for name, group in found.items():
        assert {user for user in "abc" if group.has_member(user)} == members_of(inside, name)
        named = [int(one.id) if isinstance(one, Group) else one for one in group.getMemberList()]
        assert set(named) == inside[name]


def test_nobody_is_among_those_who_are_listed_unless_known():
    assert not is_among(None, [Group("all"), "ann"])


def plant_group(connection):
    """The event is restricted, and open to a group in a group; ann is in it."""
    staff, inner = groups(connection).add(Group("staff")), groups(connection).add(Group("inner"))
    staff.add(inner)
    inner.add(staff)
    inner.add("ann")
    event = catalogue(connection).event("137346")
    event.setProtection(Protection.RESTRICTED)
    event.grant_access(staff)
    return event


def test_members_see_an_object_that_is_open_to_their_group(planted, database):
    transact(database, plant_group)
    with database.transaction() as connection:
        event = catalogue(connection).event("137346")
        assert [event.canAccess(user) for user in (None, "bob", "ann")] == [False, False, True]
        assert not event.canModify("ann")
        groups(connection).find("inner").remove("ann")
        assert not event.canAccess("ann")


def test_members_of_a_group_that_manages_may_change_what_is_below(planted, database):
    transact(database, plant_group)
    with database.transaction() as connection:
        catalogue(connection).root.grant_modification(groups(connection).find("staff"))
        assert catalogue(connection).event("137346").canModify("ann")
        catalogue(connection).root.revoke_modification(groups(connection).find("staff"))
        assert not catalogue(connection).event("137346").canModify("ann")


def test_members_of_a_group_of_registrars_may_register_others(planted, database):
    def work(connection):
        form = catalogue(connection).event("137346").registration = RegistrationForm()
        form.registrars = frozenset({groups(connection).add(Group("desk"))})
        groups(connection).find("desk").add("ann")

    transact(database, work)
    with database.transaction() as connection:
        event = catalogue(connection).event("137346")
        assert [event.can_register_others(user) for user in ("ann", "bob")] == [True, False]


def test_a_new_group_of_the_same_id_is_not_let_in(planted, database):
    transact(database, plant_group)
    with database.transaction() as connection:
        found = groups(connection)
        found.remove(found.find("staff"))
        found.add(Group("staff")).add("ann")
        assert not catalogue(connection).event("137346").canAccess("ann")
        with pytest.raises(CatalogueException, match="there is a group staff already"):
            found.add(Group("staff"))


def test_different_members_that_are_added_at_the_same_time_are_merged(tmp_path):
    with contextlib.closing(ZODB.DB(f"{tmp_path}/data.fs")) as database:
        transact(database, lambda connection: groups(connection).add(Group("staff")).add("ann"))
        managers = [transaction.TransactionManager() for _ in range(2)]
        for user, manager in zip(("bob", "cid"), managers, strict=True):
            groups(database.open(manager)).find("staff").add(user)
        for manager in managers:
            manager.commit()
        with database.transaction() as connection:
            assert groups(connection).find("staff").getMemberList() == ["ann", "bob", "cid"]


def test_an_event_shows_to_its_managers_who_may_see_it(planted, database):
    def work(connection):
        event = plant_group(connection)
        users(connection).add(Avatar("8", email="eve@example.org"))
        event.grant_access("8")
        event.grant_modification("boss")

    transact(database, work)
    (shown,) = get(planted, f"{PATH}?ak={key_of(database, 'boss')}")
    assert shown["allowed"] == {"users": ["eve@example.org", "boss"], "groups": ["staff"]}
    (shown,) = get(planted, f"{PATH}?ak={key_of(database, 'ann')}")
    assert "allowed" not in shown


def test_groups_are_told_apart_from_users_in_marc(planted, database):
    transact(database, plant_group)
    with database.transaction() as connection:
        event = catalogue(connection).event("137346")
        event.grant_access("ann")
        told = [field.subfields for field in access_list(event)]
    assert told == [
        [("d", "staff"), ("f", "group")],
        [("d", "ann"), ("f", "username")],
    ]


def test_the_readers_of_an_event_are_imported(database, client, tmp_path):
    answer = json.loads(SMALL_EVENT.read_bytes())
    (event,) = answer["results"]
    event["hasAnyProtection"] = True
    event["allowed"] = {"users": ["eve@example.org", "old@example.org"], "groups": ["staff", 7]}
    file = tmp_path / "event.json"
    file.write_text(json.dumps(answer))
    transact(database, lambda one: users(one).add(Avatar("8", email="eve@example.org")))
    (done,) = load(database, items_of(file))
    assert done.problems == []
    with database.transaction() as connection:
        stored = catalogue(connection).event(str(event["id"]))
        assert list(map(str, stored.getAllowedToAccessList())) == [
            *("8", "group:7", "group:staff", "old@example.org")
        ]
        assert groups(connection).find("staff").getMemberList() == []


def test_groups_are_made_filled_and_named_on_the_command_line(run):
    assert run("group", "create", "staff", "--name", "All of us") == "group:staff, All of us\n"
    run("group", "create", "inner")
    assert run("group", "add", "staff", "7", "group:inner") == "7, group:inner: in group:staff\n"
    assert json.loads(run("group", "list", "--json")) == [
        {"id": "inner", "name": "inner", "members": ""},
        {"id": "staff", "name": "All of us", "members": "7 group:inner"},
    ]
    run("right", "protect", "event/137346", "restricted")
    run("right", "grant", "group:staff", "access", "event/137346")
    assert json.loads(run("right", "list", "event/137346", "--json")) == [
        {"user": "group:staff", "right": "access"}
    ]
    run("group", "remove", "staff", "group:inner")
    assert "group:inner" not in run("group", "list", "--json").partition("staff")[2]
    run("group", "delete", "staff")
    run("right", "revoke", "group:staff", "access", "event/137346")
    assert json.loads(run("right", "list", "event/137346", "--json")) == []
    assert "there is no group:staff" in run(
        "right", "grant", "group:staff", "access", "event/137346", status=1
    )
    assert "there is no group 'staff'" in run("group", "add", "staff", "7", status=1)


def test_rooms_are_kept_for_groups(made):
    made("group", "create", "staff")
    made("group", "add", "staff", "7")
    made("room", "users", "group:staff", "8")
    made("room", "block", "120", "2030-05-01", "2030-05-02", "--by", "9", "--for", "group:staff")
    made("room", "change", "120", "--booker", "group:staff")
    assert look(made, lambda room: [user for user in "78" if room.may_be_booked_by(user)]) == ["7"]
    made("room", "change", "120", "--manager", "group:staff", "--needs-confirmation", "yes")
    assert look(made, lambda room: [user for user in "78" if room.may_be_booked_by(user)]) == ["7"]
    noon = slots(local(2030, 5, 1, 12))
    assert look(made, lambda room: [user for user in "789" if not room.is_closed(noon, user)]) == [
        *("7", "9")
    ]
