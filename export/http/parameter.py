"""Parameters of requests: how each is named, what it means, and how its value is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from export.errors import MalformedRequest
from export.http.request import ExportRequest
from scheduler.store.position import FORM

DAYS = "now|yesterday|today|tomorrow"
AHEAD = "[+]?([0-9]{1,3}d)?((1?[0-9]|2[0-3])h)?([1-5]?[0-9]m)?"
BACK = "-([0-9]{1,3}d)?([0-9]{1,2}h)?([0-9]{1,2}m)?"
DATE = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T([01][0-9]|2[0-3]):[0-5][0-9])?"
"""The dates that are described, as regular expressions; more are understood."""

EVERYTHING = "all"
ALL = 10**15
"""More than there is of anything."""


@dataclass(frozen=True)
class Parameter:
    """A text that a request may carry; programs read its description in OpenAPI.

    A collection offers those objects for which `accepts(object, value)` is true.
    """

    name: str
    meaning: str
    aliases: tuple[str, ...] = ()
    """Its other names, which come first where several are sent."""

    accepts: Callable[[Any, Any], bool] | None = None
    is_needed: bool = False
    """Whether nothing is answered without it."""

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the main one last."""
        return (*self.aliases, self.name)

    def of(self, request: ExportRequest) -> Any:
        """Return the value that *request* carries, None for none. Raises MalformedRequest."""
        return request.take(*self.names)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of its value."""
        return {"type": "string", **({"minLength": 1} if self.is_needed else {})}


class Flag(Parameter):
    """A parameter that is set by `yes`; whatever else is sent does not set it."""

    def of(self, request: ExportRequest) -> bool:
        """Return whether *request* sets it."""
        return request.take_flag(*self.names)


class Moment(Parameter):
    """A date, as 2026-03-01T09:30, or one relative to now, as today or -7d."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of dates; it describes not all that are understood."""
        return {"type": "string", "pattern": f"^({DAYS}|{AHEAD}|{BACK}|{DATE})$"}


class Instant(Moment):
    """A position, as answers tell it, or a date."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of positions and dates."""
        token = {"type": "string", "pattern": f"^{FORM.pattern}$"}
        return {"anyOf": [token, super().schema]}


class End(Moment):
    """A date up to which something is asked for; it is not told by an offset into the past."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of dates; it describes not all that are understood."""
        return {"type": "string", "pattern": f"^({DAYS}|{AHEAD}|{DATE})$"}


@dataclass(frozen=True)
class Integer(Parameter):
    """A whole number from `least` to `most`; 0 is like none, and is taken always."""

    least: int = 0
    most: int = 10**15 - 1

    def of(self, request: ExportRequest) -> int | None:
        """Return the number that *request* carries, None for none. Raises MalformedRequest."""
        if not request.take(*self.names):
            return None
        number = request.take_integer(*self.names)
        if not self.least <= number <= self.most:
            raise MalformedRequest(f"{self.name} must be from {self.least} to {self.most}")
        return number

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of the number."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Amount(Integer):
    """A whole number, or `all`, which is `ALL`."""

    def of(self, request: ExportRequest) -> int | None:
        """Return the number that *request* carries, None for none. Raises MalformedRequest."""
        return ALL if request.take(*self.names) == EVERYTHING else super().of(request)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of the number, or the word."""
        return {"anyOf": [super().schema, {"type": "string", "enum": [EVERYTHING]}]}


@dataclass(frozen=True)
class Choice(Parameter):
    """One of some words."""

    words: tuple[str, ...] = ()

    def of(self, request: ExportRequest) -> str | None:
        """Return the word that *request* carries, None for none. Raises MalformedRequest."""
        word = request.take(*self.names)
        if word and word not in self.words:
            raise MalformedRequest(f"{self.name} must be one of {', '.join(self.words)}")
        return word

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of the words."""
        return {"type": "string", "enum": list(self.words)}
