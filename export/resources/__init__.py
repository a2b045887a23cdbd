"""What can be asked for: one module for each WHAT, with its PATTERN and its answer."""

from export.resources import categ, event, search

RESOURCES = (search, event, categ)
