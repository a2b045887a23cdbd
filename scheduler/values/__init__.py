"""Values: durations, rate limits, retention policies, console text."""
