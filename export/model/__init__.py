"""The catalogue: categories, events and what is in them, as persistent objects."""
