"""What can be asked for: one module for each WHAT, with its PATTERN, FORMATS and answer."""

from export.resources import categ, contribution, event, search, session, timetable

RESOURCES = (timetable, search, event, categ, session, contribution)
