"""Entries of logs: what is stored of them comes out as it was put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from persistent import Persistent
from persistent.wref import WeakRef

from scheduler.log.codec import entry_of, stored, time_of

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
VALUES |= st.text() | st.binary()
NESTED = VALUES | st.lists(VALUES).map(tuple) | st.lists(VALUES) | st.frozensets(VALUES)
TIMES = st.integers(0, 2**63)


class Thing(Persistent):
    """Something of an application."""


@given(TIMES, st.lists(NESTED, min_size=1).map(tuple))
def test_an_entry_comes_out_as_it_was_put_in_with_its_time(recorded, entry):
    found = stored(recorded, entry, None)
    assert (time_of(found), entry_of(found, None)) == (recorded, entry)


@given(TIMES, st.lists(VALUES | st.lists(VALUES).map(tuple)).map(tuple))
def test_plain_data_is_stored_as_bytes(recorded, entry):
    assert isinstance(stored(recorded, entry, None), bytes)


@pytest.fixture
def thing(view):
    thing = view.root["thing"] = Thing()
    view.commit()
    return thing


def test_a_weak_reference_to_what_is_stored_is_bytes_and_leads_back(view, thing):
    found = stored(1, ("a", WeakRef(thing), 2), view.connection)
    assert isinstance(found, bytes)
    name, reference, number = entry_of(found, view.connection)
    assert (name, reference(), number) == ("a", thing, 2)


def test_a_weak_reference_to_what_a_pack_has_removed_leads_nowhere(view, thing):
    found = stored(1, (WeakRef(thing),), view.connection)
    del view.root["thing"]
    view.commit()
    view.database.pack()
    with view.database.transaction() as other:
        (reference,) = entry_of(found, other)
        assert reference() is None


@pytest.mark.parametrize("wrap", [lambda obj: obj, lambda obj: (1, obj), WeakRef])
def test_an_object_without_a_number_yet_stays_an_object(view, wrap):
    thing = Thing()
    found = stored(1, ("a", wrap(thing)), view.connection)
    assert not isinstance(found, bytes)
    view.root["entries"] = (found,)
    view.root["thing"] = thing
    view.commit()
    view.connection.cacheMinimize()
    _, item = entry_of(view.root["entries"][0], view.connection)
    kept = item() if isinstance(item, WeakRef) else item[1] if isinstance(item, tuple) else item
    assert kept is view.root["thing"]
