"""The command indico_livesync."""
