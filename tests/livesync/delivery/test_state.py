"""The stored delivery state, as layout 1 has it."""

from __future__ import annotations

from livesync.delivery.state import DeliveryState, ExportProgress


def test_the_state_of_layout_1_keeps_what_it_says():
    progress = ExportProgress(1, 7, "key")
    state = DeliveryState.__new__(DeliveryState)
    state.__setstate__({"heard": 8, "snapshot": progress, "furthest": 9})
    assert (state.known_up_to, state.full_export, state.furthest) == (8, progress, 9)
