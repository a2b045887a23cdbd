"""The command indico_scheduler."""
