"""What the leading scheduler does: instructions, claims, outcomes, pruning."""
