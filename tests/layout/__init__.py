"""The layout of databases: the stored class paths, and a database of each layout."""
