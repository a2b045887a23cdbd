"""A question: one request to one resource, by one caller."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from export.http.past import Past
from export.http.request import ExportRequest
from export.http.selection import MAXIMUM, Selection, select
from export.http.view import View
from export.settings import ExportSettings

SEPARATOR = re.compile("[-,]")


class Detail(NamedTuple):
    """A detail level: the fossil that shows an object, and how many an answer has at most."""

    fossil: Any
    most: int = MAXIMUM


@dataclass(frozen=True)
class Question:
    """One request; `arguments` are the parts of its address, `user` None for somebody unknown."""

    request: ExportRequest
    arguments: Mapping[str, str]
    user: str | None
    settings: ExportSettings
    details: Mapping[str, Detail] = field(default_factory=dict)
    """The detail levels of the resource, the usual one first; none, if it has one shape only."""

    usual_detail: str | None = None
    """The word for the one shape of a resource without detail levels."""

    past: Past | None = None
    """The earlier states that are asked about; None for the present one."""

    @cached_property
    def selection(self) -> Selection:
        """The common parameters. Raises MalformedRequest."""
        most = {name: detail.most for name, detail in self.details.items()}
        usual = next(iter(self.details), self.usual_detail)
        return select(self.request, most, usual, self.settings.zone)

    @cached_property
    def view(self) -> View:
        """The caller's view. Raises MalformedRequest."""
        in_calendar = self.arguments.get("format") == "ics"
        return View(self.user, self.selection, self.settings, in_calendar, self.past)

    @property
    def fossil(self) -> Any:
        """The fossil of the detail level that is asked for. Raises MalformedRequest."""
        return self.details[self.selection.detail].fossil

    def ids(self, name: str = "idlist") -> list[str]:
        """Return the ids that the address has at *name*, each once."""
        return list(dict.fromkeys(SEPARATOR.split(self.arguments[name])))
