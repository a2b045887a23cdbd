"""The listeners: which change is recorded as which action, and when."""

from __future__ import annotations

import pytest
from persistent import Persistent

from export.model import listeners
from livesync import components
from livesync.components import ObjectChangeListener, RequestListener, RequestListenerContext
from tests.livesync.stand_ins import Category, Conference, Contribution, Note, SubContribution


@pytest.fixture
def tree(manager, connection, commit):
    root = connection.root()["home"] = Category("0", title="Home")
    category = Category("c", root)
    event = Conference("1", category)
    contribution = Contribution("2", event)
    SubContribution("3", contribution)
    commit()
    return root, category, event, contribution, contribution._parts[0]


@pytest.fixture
def recorded(manager):
    """Return all that was recorded, as a sorted list of (id, sorted actions)."""

    def recorded():
        return sorted(
            (action.getObjectId(), sorted(action.getActions())) for _, action in manager.getTrack()
        )

    return recorded


@pytest.fixture
def listener():
    return ObjectChangeListener()


def test_a_created_object_changes_its_owner(listener, tree, recorded):
    _, category, event, *_ = tree
    listener.created(event, category)

    assert recorded() == [("1", ["created"]), ("c", ["data_changed"])]


def test_a_new_object_that_is_not_stored_yet_is_recorded(listener, tree, recorded):
    listener.created(Contribution("9", tree[2]), tree[2])

    assert ("1.9", ["created"]) in recorded()


def test_a_deleted_object_keeps_the_id_it_had(listener, tree, recorded):
    *_, event, contribution, sub = tree
    sub.detach()
    listener.deleted(sub, contribution)
    contribution.detach()
    listener.deleted(contribution, event)

    assert recorded() == [("1.2", ["deleted"]), ("1.2.3", ["deleted"])]


def test_a_move_to_where_protection_differs_changes_what_inherits(listener, tree, recorded):
    root, category, event, *_ = tree
    hidden = Category("hidden", root, protected=True)
    listener.moved(event, category, hidden)
    listener.moved(event, hidden, category)
    listener.moved(event, category, root)

    assert recorded() == [
        ("1", ["moved"]),
        ("1", ["moved", "set_private"]),
        ("1", ["moved", "set_public"]),
    ]


def test_new_data_and_titles_have_their_actions(listener, tree, recorded):
    _, category, event, contribution, _ = tree
    listener.infoChanged(event)
    listener.eventTitleChanged(event, "old", "new")
    listener.categoryTitleChanged(category)
    listener.contributionTitleChanged(contribution)

    assert recorded() == [
        ("1", ["data_changed"]),
        ("1", ["title_changed"]),
        ("1.2", ["title_changed"]),
        ("c", ["title_changed"]),
    ]


@pytest.mark.parametrize(
    ("old", "new", "owner_is_protected", "action"),
    [
        (0, 1, False, "set_private"),
        (0, -1, True, "set_public"),
        (1, 0, False, "set_public"),
        (-1, 0, True, "set_private"),
        (0, -1, False, None),
        (1, 0, True, None),
        (1, 1, False, None),
    ],
)
def test_a_change_of_protection_counts_where_it_makes_a_difference(
    listener, tree, recorded, old, new, owner_is_protected, action
):
    _, category, event, *_ = tree
    category._protected = owner_is_protected
    listener.protectionChanged(event, old, new)

    assert recorded() == ([("1", [action])] if action else [])


@pytest.mark.parametrize(
    "change", ["accessGranted", "accessRevoked", "modificationGranted", "modificationRevoked"]
)
def test_a_right_concerns_the_object_or_its_owner(listener, tree, recorded, change):
    *_, contribution, sub = tree
    getattr(listener, change)(contribution, "who")
    getattr(listener, change)(sub)
    getattr(listener, change)(Note("material", Note("in", contribution)))
    getattr(listener, change)(Note("belongs nowhere"))

    assert recorded() == [
        ("1.2", ["acl_changed"]),
        ("1.2", ["data_changed"]),
        ("1.2.3", ["acl_changed"]),
    ]


class AccessController(Persistent):
    def __init__(self, owner):
        self._owner = owner

    def getOwner(self):
        return self._owner


def test_an_access_controller_stands_for_its_owner(listener, tree, recorded):
    listener.accessGranted(AccessController(tree[2]))
    listener.accessGranted(AccessController(None))

    assert recorded() == [("1", ["acl_changed"])]


def test_domains_concern_the_object(listener, tree, recorded):
    listener.accessDomainAdded(tree[2], "domain")
    listener.accessDomainRemoved(tree[1], "domain")

    assert recorded() == [("1", ["acl_changed"]), ("c", ["acl_changed"])]


def test_a_change_is_lost_with_its_transaction(listener, tree, recorded, connection):
    listener.infoChanged(tree[2])
    connection.transaction_manager.abort()

    assert recorded() == []


def test_a_request_records_each_object_once(listener, tree, recorded):
    event = tree[2]
    with RequestListenerContext():
        listener.created(event, tree[1])
        listener.infoChanged(event)
        listener.eventTitleChanged(event)
        assert recorded() == []

    assert recorded() == [
        ("1", ["created", "data_changed", "title_changed"]),
        ("c", ["data_changed"]),
    ]


def test_a_request_that_fails_records_nothing(listener, tree, recorded):
    def request():
        with RequestListenerContext():
            listener.infoChanged(tree[2])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request()

    assert recorded() == []


def test_a_request_inside_another_is_recorded_on_its_own(listener, tree, recorded):
    with RequestListenerContext():
        listener.infoChanged(tree[2])
        with RequestListenerContext():
            listener.infoChanged(tree[1])
        assert recorded() == [("c", ["data_changed"])]

    assert recorded() == [("1", ["data_changed"]), ("c", ["data_changed"])]


def test_a_repeated_request_begins_anew(listener, tree, recorded):
    request = RequestListener()
    request.requestStarted(None)
    listener.infoChanged(tree[1])
    request.requestRetry(None, 1)
    listener.infoChanged(tree[2])
    request.requestFinished(None)
    request.requestFinished(None)

    assert recorded() == [("1", ["data_changed"])]


def test_an_object_without_id_breaks_nothing(listener, tree, recorded):
    with RequestListenerContext():
        listener.infoChanged(Persistent())
        listener.infoChanged(tree[2])

    assert recorded() == [("1", ["data_changed"])]


def test_excluded_categories_are_left_out(listener, tree, recorded, manager):
    root, category, event, *_ = tree
    manager.exclude(["c"])
    listener.created(event, category)
    event.detach()
    listener.deleted(event, category)
    listener.infoChanged(root)

    assert recorded() == [("0", ["data_changed"])]


def test_connected_it_hears_what_the_model_announces(tree, recorded):
    components.connect()
    listeners.subscribe(ObjectChangeListener())
    try:
        listeners.announce("infoChanged", tree[2])
    finally:
        components.disconnect()
    listeners.announce("infoChanged", tree[1])

    assert recorded() == [("1", ["data_changed"])]
