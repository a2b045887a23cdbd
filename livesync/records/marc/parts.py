"""Changes of owners that also change the records of their parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from livesync.objects.object_model import CONTRIBUTION, EVENT, parts, unique_id
from livesync.track.action import ActionWrapper

# The title of an event stands in the records of all that is in it; when a contribution is, and
# whose it is, in those of its subcontributions.
TOLD = {EVENT: {"title_changed"}, CONTRIBUTION: {"data_changed"}}

PositionedChanges = Iterable[tuple[int, ActionWrapper]]


def with_parts(changes: PositionedChanges) -> Iterator[tuple[int, ActionWrapper]]:
    """Yield *changes*, and changes of the parts whose records tell what has changed."""
    for position, action in changes:
        yield position, action
        obj = action.getObject()
        if obj is not None and action.getActions() & TOLD.get(action.kind, set()):
            for part in parts(obj):
                change = ActionWrapper(action.timestamp, part, {"data_changed"}, unique_id(part))
                yield position, change
