"""The process of the daemon, the process beside it, and the event that stops them."""
