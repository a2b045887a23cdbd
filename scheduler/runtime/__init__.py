"""What surrounds a running task: its context, side effects, mail, HTTP, code version."""
