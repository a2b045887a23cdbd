"""The track: bins, boundaries and pointers, as reference 4.1 documents them.

Covers `livesync.track.bin`, `livesync.track.pointer`, `livesync.track.set_track`,
`livesync.track.list_track`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livesync.struct import (
    EmptyTrackException,
    ListMultiPointerTrack,
    MultiPointerTrack,
    SetMultiPointerTrack,
)

TRACKS = [SetMultiPointerTrack, ListMultiPointerTrack]


@pytest.fixture(params=TRACKS)
def track(request):
    """A track with one element in each of the bins 1, 2, 3 and 5."""
    track = request.param()
    for position in (2, 1, 5, 3):
        track.add(position, f"in {position}")
    return track


@pytest.fixture(params=TRACKS)
def empty_track(request):
    return request.param()


def positions(items):
    return [position for position, _ in items]


@pytest.mark.parametrize(
    ("behind", "till", "expected"),
    [
        (None, None, [5, 3, 2, 1]),
        (2, None, [5, 3]),
        (4, None, [5]),
        (None, 2, [2, 1]),
        (None, 4, [3, 2, 1]),
        (2, 3, [3]),
        (3, 3, []),
        (3, 2, []),
        (5, None, []),
        (0, None, [5, 3, 2, 1]),
        (None, 0, []),
        (None, -1, [3, 2, 1]),
        (2, -1, [3]),
        (5, -1, []),
        (None, 99, [5, 3, 2, 1]),
    ],
)
def test_a_stretch_excludes_where_it_starts_and_includes_where_it_ends(
    track, behind, till, expected
):
    assert positions(track.iterate(behind, till)) == expected


def test_position_0_is_a_position_like_any_other(track):
    track.add(0, "in 0")

    assert positions(track.iterate()) == [5, 3, 2, 1, 0]
    assert positions(track.iterate(fromPos=0)) == [5, 3, 2, 1]
    assert positions(track.iterate(till=0)) == [0]


def test_a_pointer_may_start_at_position_0(track):
    track.addPointer("zero", 0)

    assert track.getPointerTimestamp("zero") == 0


def test_an_empty_track_has_nothing_to_iterate(empty_track):
    assert list(empty_track) == list(empty_track.iterate(till=-1)) == []
    assert empty_track.is_empty()
    assert len(empty_track) == 0


def test_an_empty_track_has_no_newest_and_no_oldest_position(empty_track):
    with pytest.raises(EmptyTrackException):
        empty_track.mostRecentTS()
    with pytest.raises(EmptyTrackException):
        empty_track.oldestTS()


def test_the_newest_position_is_limited_by_a_maximum(track):
    assert track.mostRecentTS() == 5
    assert track.mostRecentTS(4) == 4
    assert track.mostRecentTS(9) == 5
    assert track.mostRecentTS(0) == 0
    assert track.oldestTS() == 1


def test_a_slice_includes_both_ends_newest_first(track):
    assert [list(container) for container in track[3:1]] == [["in 3"], ["in 2"], ["in 1"]]
    assert [list(container) for container in track[:]] == [[f"in {n}"] for n in (5, 3, 2, 1)]
    assert [list(container) for container in track.values(2)] == [["in 2"], ["in 1"]]


def test_a_slice_has_no_step(track):
    with pytest.raises(TypeError):
        track[5:1:2]


def test_a_missing_bin_is_a_key_error(track):
    with pytest.raises(KeyError):
        track[4]
    with pytest.raises(KeyError):
        del track[4]


def test_a_deleted_bin_is_gone(track):
    del track[3]

    assert 3 not in track
    assert len(track) == 3
    assert positions(track) == [5, 2, 1]


def test_a_prepared_bin_is_empty_and_there(track):
    track.prepareEntry(4)

    assert 4 in track
    assert list(track[4]) == []
    assert len(track) == 5


def test_preparing_a_bin_that_is_there_keeps_what_is_in_it(track):
    track.prepareEntry(5)

    assert list(track[5]) == ["in 5"]


def test_iterate_hands_pairs_to_its_function(track):
    assert list(track.iterate(3, func=lambda pair: pair)) == [(5, "in 5")]
    assert list(track.iterate(3, func=lambda pair: pair[1].upper())) == ["IN 5"]


def test_pointers_move_independently(track):
    track.addPointer("one")
    track.addPointer("two", 2)
    track.movePointer("one", 3)

    assert list(track.pointerIterItems("one")) == [(5, "in 5")]
    assert list(track.pointerIterValues("two")) == ["in 5", "in 3"]
    assert list(track.pointerIterValues("two", 3)) == ["in 3"]
    assert track.getPointerTimestamp("one") == 3


def test_a_new_pointer_has_everything_before_it(track):
    track.addPointer("new")

    assert track.getPointerTimestamp("new") is None
    assert positions(track.pointerIterItems("new")) == [5, 3, 2, 1]


def test_a_pointer_moves_back_and_to_where_no_bin_is(track):
    track.addPointer("one", 5)
    track.movePointer("one", 4)

    assert positions(track.pointerIterItems("one")) == [5]


def test_the_entry_at_a_pointer_is_the_container_there(track):
    track.addPointer("one", 3)

    assert list(track.getCurrentPosition("one")) == ["in 3"]


def test_there_is_no_entry_where_no_bin_is_nor_at_a_new_pointer(track):
    track.addPointer("nowhere", 4)
    track.addPointer("new")

    with pytest.raises(KeyError):
        track.getCurrentPosition("nowhere")
    with pytest.raises(TypeError):
        track.getCurrentPosition("new")


@pytest.mark.parametrize(
    "call",
    [
        lambda track: track.movePointer("nobody", 1),
        lambda track: track.removePointer("nobody"),
        lambda track: track.getPointerTimestamp("nobody"),
        lambda track: track.getCurrentPosition("nobody"),
        lambda track: track.pointerIterItems("nobody"),
    ],
)
def test_an_unknown_pointer_is_a_key_error_that_names_it(track, call):
    with pytest.raises(KeyError, match="nobody"):
        call(track)


def test_moving_on_an_empty_track_is_refused(empty_track):
    empty_track.addPointer("one")

    with pytest.raises(EmptyTrackException):
        empty_track.movePointer("one", 1)


def test_a_pointer_that_cannot_start_where_it_should_is_not_put_up(empty_track):
    with pytest.raises(EmptyTrackException):
        empty_track.addPointer("one", 1)

    assert empty_track.getPointers() == {}


def test_a_pointer_that_would_start_nowhere_is_not_put_up(track):
    with pytest.raises(TypeError, match="a position is a whole number, not 'there'"):
        track.addPointer("one", "there")

    assert track.getPointers() == {}


def test_a_pointer_is_not_put_up_twice(track):
    track.addPointer("one", 3)

    with pytest.raises(Exception, match="movePointer"):
        track.addPointer("one")
    assert track.getPointerTimestamp("one") == 3


def test_a_removed_pointer_is_unknown(track):
    track.addPointer("one")
    track.removePointer("one")

    with pytest.raises(KeyError):
        track.getPointerTimestamp("one")


def test_a_list_track_keeps_order_and_duplicates():
    track = ListMultiPointerTrack()
    for value in ("b", "a", "b"):
        track.add(1, value)

    assert list(track[1]) == ["b", "a", "b"]


def test_a_set_track_orders_elements_and_keeps_one_of_equal_ones():
    track = SetMultiPointerTrack()
    for value in ("b", "a", "b"):
        track.add(1, value)

    assert list(track[1]) == ["a", "b"]
    assert track[1] == {"a", "b"}
    assert "a" in track[1]
    assert "c" not in track[1]


def test_the_base_track_does_not_say_how_to_add():
    with pytest.raises(NotImplementedError):
        MultiPointerTrack(list).add(1, "x")


def test_a_derived_track_uses_its_own_container():
    class BagTrack(MultiPointerTrack):
        def __init__(self):
            super().__init__(dict)

        def add(self, intTS, value):
            self.prepareEntry(intTS)
            self[intTS][value] = True

    track = BagTrack()
    track.add(7, "x")

    assert list(track) == [(7, "x")]


@given(
    st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 5)), max_size=200),
    st.none() | st.integers(-4, 14),
    st.none() | st.integers(0, 14),
)
def test_a_set_track_reads_like_a_dictionary_of_sets(additions, behind, till):
    track, model = SetMultiPointerTrack(), {}
    for position, value in additions:
        track.add(position, value)
        model.setdefault(position, set()).add(value)

    expected = [
        (position, value)
        for position in sorted(model, reverse=True)
        if (behind is None or position > behind) and (till is None or position <= till)
        for value in sorted(model[position])
    ]
    assert list(track.iterate(behind, till)) == expected
    assert len(track) == len(model)
    assert all(position in track for position in model)
