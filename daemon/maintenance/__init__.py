"""The care of the database: backups, packing, verification, encryption of secrets."""
