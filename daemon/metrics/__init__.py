"""The numbers for Prometheus: those that are counted here, and those read from the database."""
