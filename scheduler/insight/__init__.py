"""Looking into tasks: undo, dry run, replay."""
