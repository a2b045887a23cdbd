"""Leadership: the lease, the roster of schedulers, the watchdog."""
