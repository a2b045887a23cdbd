"""The commands of `indico_export`: one module for each noun, which adds its own."""
