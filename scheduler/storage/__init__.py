"""Storages: the embedded file and its server, PostgreSQL, locks and descriptors."""
