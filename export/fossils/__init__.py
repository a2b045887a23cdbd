"""Fossils: the members that answers show of each class, at each detail level (reference 5.3.2)."""
