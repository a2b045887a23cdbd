"""Importers: from a file of another system into the catalogue."""
