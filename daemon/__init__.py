"""The process that runs it all: scheduler, change feed and web front end, on one database."""
