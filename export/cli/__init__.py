"""What `indico_export` can do: one module for each noun, which adds its commands."""
