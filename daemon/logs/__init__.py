"""The log of the daemon: its place, and the forms of its lines."""
