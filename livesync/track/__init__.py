"""The MultiPointerTrack: bins, pointers, actions, and the sequencer that fills it."""
