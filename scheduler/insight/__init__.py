"""Insight into tasks: undo, dry run, replay."""
