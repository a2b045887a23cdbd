"""The audit: signed commits, differences of state, conflict statistics."""
