"""The values of labels: legible, and few."""

from __future__ import annotations

from scheduler.values.legible import legible_line
from scheduler.values.shown import shortened

OTHER = "other"
ORDINARY = "ordinary"
"""The label of the ordinary queue, which has no name."""

LONGEST = 120


def shown_label(value: str) -> str:
    """Return *value* as a label: on one line, without what acts on a terminal, and short."""
    return shortened(legible_line(value), LONGEST)


def queue_label(name: str) -> str:
    """Return the label of the queue *name*."""
    return shown_label(name) or ORDINARY
