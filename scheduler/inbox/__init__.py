"""The inbox, which clients and tasks use directly: the spool, claims, bindings to objects."""
