"""How changes are noticed: listeners, watched classes, lifecycle events."""
