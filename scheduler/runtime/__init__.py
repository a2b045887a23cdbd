"""The surroundings of an attempt: its context, side effects, mail, HTTP, code version."""
