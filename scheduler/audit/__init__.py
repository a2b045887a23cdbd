"""Who changed what: signed commits, differences of state, conflict statistics."""
