"""What answers show of each kind of object, at each detail level (reference 5.3.2)."""
