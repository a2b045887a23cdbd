"""How records are sent: batches, the deliverer, dead letters, status."""
