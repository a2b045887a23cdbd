"""The events of a calendar file."""
