"""The work of the leading scheduler: instructions, claims, outcomes, pruning."""
