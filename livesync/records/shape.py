"""The shape of an exposed object in records: its fossil, as plain data."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from export.fossilize import fossilize
from export.fossils.installation import base_url
from livesync.objects.object_model import may_see
from livesync.objects.watched_classes import watch_of


def shape_of(obj: Any, access: Any = None) -> dict[str, Any] | None:
    """Return *obj* by the fossil that it is exposed with; None if it is not exposed.

    Parts that *access* may not see are left out where the fossil asks for that. Raises
    WatchException for a fossil that cannot be imported, and what making the fossil raises.
    """
    watched = watch_of(obj)
    if watched is None or not watched.fossil:
        return None
    shape: dict[str, Any] = fossilize(
        obj,
        watched.shape(),
        tz=UTC,
        base_url=base_url(obj._p_jar),
        canModify=False,
        filters={"access": lambda part: may_see(part, access)},
    )
    return shape
