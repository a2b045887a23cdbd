"""The watches of the daemon beside its work: alerts, escaped changes, the code."""
