"""How objects are shown to one caller: what they may see, in the zone they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from export.fossilize import fossilize
from export.http.past import Past
from export.http.selection import Selection
from export.settings import ExportSettings

SHOWN_CLASSES = {"Folder": "folder", "Attachment": "attachment", "Creator": "Avatar"}
"""The `_type` of objects whose class has another name."""


@dataclass(frozen=True)
class View:
    """One caller's view; `user` is None for somebody unknown."""

    user: str | None
    selection: Selection
    settings: ExportSettings
    in_calendar: bool = False
    """Whether objects are shown with their calendar entries."""

    past: Past | None = None
    """The earlier states that are shown: the present one has to let the caller in, too."""

    def shows(self, obj: Any) -> bool:
        """Say whether the caller may see *obj*."""
        return self.allows(obj, lambda one: one.canAccess(self.user))

    def may_change(self, obj: Any) -> bool:
        """Say whether the caller may change *obj*."""
        return self.allows(obj, lambda one: one.canModify(self.user))

    def allows(self, obj: Any, rule: Callable[[Any], Any]) -> bool:
        """Say whether *rule* lets the caller have *obj*, as it is shown and as it is now."""
        return bool(rule(obj)) and (self.past is None or self.past.holds_now(obj, rule))

    @cached_property
    def filters(self) -> dict[str, Callable[[Any], bool]]:
        """The filters that the tag `filterBy` names."""
        return {"access": self.shows, "outside_sessions": self._is_outside_sessions}

    def show(self, obj: Any, fossil: Any, guard: Any = None, **more: Any) -> Any:
        """Return *obj* by *fossil*; who may change *guard*, *obj* itself if None, sees more."""
        guard = obj if guard is None else guard
        return fossilize(
            obj,
            fossil,
            mapClassType=SHOWN_CLASSES,
            tz=self.selection.tz,
            base_url=self.settings.base_url,
            canModify=guard is not False and self.may_change(guard),
            filters=self.filters,
            inCalendar=self.in_calendar,
            **more,
        )

    def _is_outside_sessions(self, contribution: Any) -> bool:
        session = contribution.session
        first = session.slots[0] if session is not None and session.slots else None
        slot = contribution.getSlot() or first
        return self.shows(contribution) and (slot is None or not self.shows(slot))
