"""The feed on the catalogue's own objects.

Covers `export.model.conference`, `export.model.contribution`, `export.model.listeners`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from export.imports.source import items_of
from export.model import listeners
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution, SubContribution
from export.model.material import Material
from export.model.person import ContributionParticipation
from export.model.session import Session, SessionSlot
from livesync import ActionWrapper
from livesync.agent import SyncAgent
from livesync.components import ObjectChangeListener
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED, reduce
from tests.livesync.agents_for_tests import ReducingAgent
from tests.livesync.marc_reading import marc
from tests.places import SMALL_EVENT

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def bring_in(connection, without=0, **how):
    (item,) = items_of(SMALL_EVENT)
    draft = item.make()
    del draft.contributions[len(draft.contributions) - without :]
    return draft.enter(catalogue(connection), **how)


@pytest.fixture
def recorded(manager, connection, commit):
    """Return a function that commits and gives {id: status} of what was recorded since."""
    manager.registerNewAgent(SyncAgent("a", "A", "", 60))
    commit()
    listener = ObjectChangeListener()
    listeners.subscribe(listener)

    def recorded():
        commit()
        data = list(manager.getTrack().pointerIterItems("a"))
        if data:
            manager.advance("a", manager.getTrack().mostRecentTS())
            commit()
        return {obj_id: status for _, obj_id, status in reduce(data)}

    yield recorded
    listeners.unsubscribe(listener)


@pytest.fixture
def event(recorded, connection):
    found = catalogue(connection)
    category = Category("c", "Talks")
    found.add_category(category)
    event = Conference("1", "Spring <School>", "Many\x0btalks")
    event.setDates(START, START + timedelta(days=2))
    event.update(location="Old School", room="Aula", keywords=("spring",))
    found.add_event(event, category)
    talk = Contribution("2", "A talk")
    talk.speakers = (ContributionParticipation("1", "Ada", "Byron", "London", "ada@example.org"),)
    talk.primary_authors = talk.speakers
    talk.track = "Theory"
    talk.duration = timedelta(minutes=90)
    event.addContribution(talk)
    talk.addSubContribution(SubContribution("3", "A part"))
    session = Session("0", "Plenary")
    event.addSession(session)
    session.addSlot(SessionSlot("0"))
    session.slots[0].schedule(talk)
    recorded()
    return event


def test_every_kind_of_record_is_valid_and_read_by_library_software(event):
    talk = event.getContributionById("2")
    (sub,) = talk.getSubContributionList()
    head, second, third, gone = marc(
        (event, "1", STATUS_CREATED),
        (talk, "1.2", STATUS_CHANGED),
        (sub, "1.2.3", STATUS_CHANGED),
        (None, "9", STATUS_DELETED),
    )

    assert head["245"]["a"] == "Spring <School>"
    assert head["111"]["c"] == "Old School, Aula"
    assert head["111"]["9"] == "2026-03-01T09:00:00Z"
    assert head["520"]["a"] == "Many talks"
    assert head["650"]["a"] == "0:c"
    assert head["653"]["a"] == "spring"
    assert second["970"]["a"] == "INDICO.1.2"
    assert second["300"]["a"] == "1:30:00"
    assert second["100"].get_subfields("a", "e", "u") == [
        *("Byron Ada", "Primary Author", "Speaker", "London")
    ]
    assert [field.get_subfields("a") for field in second.get_fields("650")] == [["0:c"], ["Theory"]]
    assert second["961"]["c"].endswith("T")
    assert third["245"]["a"] == "A part"
    assert third["962"]["b"] == "INDICO.1"
    assert gone["980"]["c"] == "DELETED"


def test_all_of_an_imported_event_is_valid(recorded, connection):
    bring_in(connection)

    assert recorded() == dict.fromkeys(("77.1.0", "77.2"), STATUS_CREATED) | dict.fromkeys(
        ("77", "77.1"), STATUS_CREATED | STATUS_CHANGED
    )
    event = catalogue(connection).event("77")
    objects = [event, *event.getContributionList()]
    assert len(marc(*((one, one.getUniqueId(), STATUS_CREATED) for one in objects))) == 3


def test_the_accounts_that_may_see_a_protected_event_are_told(event):
    event.setProtection(Protection.RESTRICTED)
    event.grant_access("ann")
    event.getOwner().grant_modification("zoe")
    event.getOwner().grant_access("not me")
    (talk,) = event.getContributionList()

    for record in marc((event, "1", STATUS_CHANGED), (talk, "1.2", STATUS_CHANGED)):
        assert record["980"]["a"] == "INDICOSEARCH.PRIVATE"
        assert record["506"].get_subfields("d", "f") == ["ann", "zoe", "username"]


def test_a_new_title_is_a_change_of_event_and_talk(event, recorded):
    event.setTitle("Summer School")
    event.getContributionById("2").setTitle("Another talk")

    assert recorded() == {"1": STATUS_CHANGED, "1.2": STATUS_CHANGED}


def test_a_session_that_is_added_renamed_or_removed_is_a_change_of_its_event(event, recorded):
    session = Session("1", "Posters")
    event.addSession(session)
    assert recorded() == {"1": STATUS_CHANGED}
    session.setTitle("More posters")
    assert recorded() == {"1": STATUS_CHANGED}
    event.removeSession(session)
    assert recorded() == {"1": STATUS_CHANGED}


def test_access_to_a_session_concerns_its_contributions(event, recorded):
    event.sessions["0"].setProtection(Protection.RESTRICTED)

    assert recorded() == dict.fromkeys(("1", "1.2", "1.2.3"), STATUS_CHANGED)


def test_a_contribution_that_leaves_its_rule_to_a_protected_session_becomes_private(
    event, recorded
):
    event.sessions["0"].setProtection(Protection.RESTRICTED)
    talk = event.getContributionById("2")
    talk.setProtection(Protection.RESTRICTED)
    recorded()
    talk.setProtection(Protection.INHERITING)
    assert recorded() == {}
    talk.setProtection(Protection.PUBLIC)
    assert recorded() == dict.fromkeys(("1.2", "1.2.3"), STATUS_CHANGED)


@pytest.fixture
def actions(event, manager, commit):
    """Return a function that gives {id: actions} of what was recorded since."""

    def actions():
        commit()
        found = {}
        for _, action in manager.getTrack().pointerIterItems("a"):
            found.setdefault(action.getObjectId(), set()).update(action.getActions())
        return found

    return actions


CHANGES = {
    "an event is moved": (
        lambda found, event: found.move_event(event, found.root),
        {"1": {"moved"}},
    ),
    "an event is moved to where not everybody may see it": (
        lambda found, event: found.move_event(event, found.category("closed")),
        {"1": {"moved", "set_private"}},
    ),
    "a category is moved to where not everybody may see it": (
        lambda found, event: found.move_category(event.getOwner(), found.category("closed")),
        {"c": {"moved", "set_private"}},
    ),
    "a category gets a title": (
        lambda found, event: event.getOwner().setTitle("Other"),
        {"c": {"title_changed", "data_changed"}},
    ),
    "an event gets a title": (
        lambda found, event: event.setTitle("Other"),
        {"1": {"title_changed", "data_changed"}},
    ),
    "a contribution gets a title": (
        lambda found, event: event.getContributionById("2").setTitle("Other"),
        {"1.2": {"title_changed", "data_changed"}},
    ),
    "a subcontribution gets a description": (
        lambda found, event: event.getContributionById("2").subcontributions[0].setDescription("."),
        {"1.2.3": {"data_changed"}},
    ),
    "a contribution is added": (
        lambda found, event: event.addContribution(Contribution("8")),
        {"1": {"data_changed"}, "1.8": {"created"}},
    ),
    "a contribution is removed": (
        lambda found, event: event.removeContribution(event.getContributionById("2")),
        {"1.2": {"deleted"}, "1.2.3": {"deleted"}},
    ),
    "a category is added": (
        lambda found, event: found.add_category(Category("new"), event.getOwner()),
        {"c": {"data_changed"}, "new": {"created"}},
    ),
    "a category is removed": (
        lambda found, event: found.remove_category(found.category("closed")),
        {"closed": {"deleted"}},
    ),
    "an event is closed": (
        lambda found, event: event.setProtection(Protection.RESTRICTED),
        {"1": {"set_private"}},
    ),
    "a category is opened": (
        lambda found, event: found.category("closed").setProtection(Protection.PUBLIC),
        {"closed": {"set_public"}},
    ),
    "somebody may see an event": (
        lambda found, event: event.grant_access("ann"),
        {"1": {"acl_changed"}},
    ),
    "somebody may change a category": (
        lambda found, event: event.getOwner().grant_modification("ann"),
        {"c": {"acl_changed"}},
    ),
    "a file is for some only": (
        lambda found, event: event.materials[0].setProtection(Protection.RESTRICTED),
        {"1": {"data_changed"}},
    ),
    "an event is open to a domain only": (
        lambda found, event: event.require_domain("cern"),
        {"1": {"acl_changed"}},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_recorded_as_what_it_means(event, actions, recorded, connection, change):
    found = catalogue(connection)
    found.add_category(Category("closed"))
    found.category("closed").setProtection(Protection.RESTRICTED)
    event.add_material(Material("slides", "Slides"))
    recorded()
    make, expected = CHANGES[change]
    make(found, event)

    assert actions() == expected


def test_a_right_that_is_taken_away_is_recorded_too(event, actions, recorded):
    event.grant_access("ann")
    event.grant_modification("ann")
    event.require_domain("cern")
    recorded()
    for change in (event.revoke_access, event.revoke_modification):
        change("ann")
        assert actions() == {"1": {"acl_changed"}}
        recorded()
    event.free_domain("cern")
    assert actions() == {"1": {"acl_changed"}}


def test_with_a_category_all_that_is_below_it_changes(event, recorded, connection):
    found = catalogue(connection)
    found.add_category(Category("closed"))
    found.move_category(event.getOwner(), found.category("closed"))

    assert recorded() == dict.fromkeys(("1", "1.2", "1.2.3"), STATUS_CHANGED)


def test_an_event_that_is_moved_to_where_changes_are_ignored_is_deleted_and_comes_back(
    event, connection, manager, commit, deliveries
):
    found = catalogue(connection)
    found.add_category(Category("hidden"))
    manager.exclude(["hidden"])
    manager.registerNewAgent(ReducingAgent("b", "B", "", 60))
    agent = manager.getAgent("b")
    manager.advance("b", manager.getTrack().mostRecentTS())
    for category, status in ((found.category("hidden"), STATUS_DELETED), (found.root, 0)):
        found.move_event(event, category)
        event.setDescription("Nobody hears of this")
        commit()
        assert agent.run(None)
        agent.acknowledge()
        commit()
        states = {obj_id: bits & STATUS_DELETED for _, obj_id, bits in deliveries["b"].pop()}
        assert states == dict.fromkeys(("1", "1.2", "1.2.3"), status)


def test_with_an_event_everything_in_it_is_deleted(event, recorded, connection):
    catalogue(connection).remove_event(event)

    assert recorded() == dict.fromkeys(("1", "1.2", "1.2.3"), STATUS_DELETED)


def test_an_event_that_replaces_another_of_its_id_is_not_deleted(recorded, connection):
    bring_in(connection)
    recorded()
    bring_in(connection, without=1, replace=True)
    statuses = recorded()

    assert statuses["77"] & STATUS_CREATED
    assert not statuses["77"] & STATUS_DELETED
    assert not statuses["77.1"] & STATUS_DELETED
    assert statuses["77.2"] == STATUS_DELETED


def test_an_object_in_no_catalogue_yet_is_recorded_when_it_is_added(event, recorded):
    talk = Contribution("7")
    talk.setTitle("Late")
    assert recorded() == {}
    event.addContribution(talk)
    assert recorded() == {"1": STATUS_CHANGED, "1.7": STATUS_CREATED}


def test_an_event_built_before_it_is_put_in_the_catalogue_is_recorded_with_all_parts(
    recorded, connection
):
    event = Conference("77", "Built first")
    contribution = Contribution("1", "Inside")
    contribution.addSubContribution(SubContribution("0", "Further inside"))
    event.addContribution(contribution)
    contribution.setTitle("Inside, renamed")
    catalogue(connection).add_event(event)

    assert recorded().keys() >= {"77", "77.1", "77.1.0"}


def test_however_much_lies_below_a_category_it_does_not_fill_the_memory(
    database, connection, commit
):
    database.setCacheSize(400)
    found = catalogue(connection)
    for number in range(3000):
        found.add_event(Conference(str(number), f"Event {number}"))
        if number % 500 == 0:
            commit()
            connection.cacheGC()
    commit()
    connection.cacheMinimize()
    most = 0
    records = reduce([(1, ActionWrapper(1, found.root, ["acl_changed"], "0"))], dbi=connection)
    for number, _ in enumerate(records):
        if number % 100 == 0:
            connection.cacheGC()  # as those who send the records do
        most = max(most, len(connection._cache))

    assert number == 2999
    assert most < 2000


@pytest.mark.parametrize("guest", ["ann", None])
def test_the_same_protection_by_another_rule_counts_where_it_lets_others_in(
    recorded, connection, guest
):
    root = catalogue(connection)
    category = Category("p", "Private")
    root.add_category(category)
    category.setProtection(Protection.RESTRICTED)
    event = Conference("e", "Event")
    root.add_event(event, category)
    if guest:
        category.grant_access(guest)
    recorded()

    event.setProtection(Protection.RESTRICTED)

    assert recorded() == ({"e": STATUS_CHANGED} if guest else {})
