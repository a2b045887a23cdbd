"""Where the bytes are: the embedded file and its server, PostgreSQL, locks and descriptors."""
