"""What clients and tasks touch themselves: the spool, claims, bindings to objects."""
