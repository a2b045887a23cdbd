"""The objects whose changes are told, and which of them are excluded."""
