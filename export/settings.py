"""The export's settings, checked once at the door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import ExportConfigurationException
from scheduler.values.options import check_known

ORIGIN = re.compile(r"https?://[^/\s?#@]+")


class ApiMode(IntEnum):
    """The credentials a request needs to act as a key's user (reference 5.1.2)."""

    KEY = 0
    """A key is enough; without one, only what is public."""
    ONLYKEY = 1
    """A key is needed, and enough."""
    SIGNED = 2
    """A key with a signature; without one, only what is public."""
    ONLYKEY_SIGNED = 3
    """A key is needed; without a signature, only what is public."""
    ALL_SIGNED = 4
    """A key with a signature is needed."""


@dataclass(frozen=True)
class ExportSettings:
    """The settings of `make_app(database, config)`; times are seconds."""

    base_url: str = ""
    """Prefix of the addresses in answers, as `https://indico.example.org`."""

    timezone: str = "UTC"
    """The zone of dates where a request names none with `tz`."""

    api_mode: ApiMode = ApiMode.SIGNED
    """A number from 0 to 4, or its name; see ApiMode."""

    https_required: bool = False
    """Whether acting as a user needs a secure connection."""

    persistent_signatures: bool = False
    """Whether keys that allow it may sign without a timestamp, for links that stay valid."""

    signature_ttl: int = 600
    """How far a signature's timestamp may be from now, either way."""

    rate_limit: int = 0
    """How many requests a minute each key, token and address may send; 0 for any number."""

    cors_origins: tuple[str, ...] = ()
    """The sites whose pages may ask, as `https://www.example.org`; `*` for all."""

    answer_cache: int = 16
    """The MiB in which a process keeps answers until something in them changes; 0 for none."""

    @classmethod
    def of(cls, config: Mapping[str, Any] | ExportSettings | None = None) -> ExportSettings:
        """Return the settings that *config* asks for.

        Raises ExportConfigurationException naming the culprit and what is known.
        """
        if isinstance(config, ExportSettings):
            return config
        values = dict(config or {})
        known = [field.name for field in fields(cls)]
        check_known(values, known, ExportConfigurationException)
        if "api_mode" in values:
            values["api_mode"] = _api_mode(values["api_mode"])
        if "cors_origins" in values:
            values["cors_origins"] = _origins(values["cors_origins"])
        settings = cls(**values)
        settings._check()
        return settings

    @property
    def zone(self) -> ZoneInfo:
        """The zone of dates where a request names none."""
        return ZoneInfo(self.timezone)

    def _check(self) -> None:
        for name in ("https_required", "persistent_signatures"):
            if not isinstance(getattr(self, name), bool):
                raise ExportConfigurationException(
                    f"{name} is {getattr(self, name)!r}; it must be true or false"
                )
        for name in ("base_url", "timezone"):
            if not isinstance(getattr(self, name), str):
                raise ExportConfigurationException(
                    f"{name} is {getattr(self, name)!r}; it must be a text"
                )
        numbers = (
            ("signature_ttl", "seconds"),
            ("answer_cache", "MiB"),
            ("rate_limit", "requests"),
        )
        for name, unit in numbers:
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise ExportConfigurationException(
                    f"{name} is {number!r}; it must be a whole number of {unit} from 0"
                )
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            raise ExportConfigurationException(
                f"timezone is {self.timezone!r}; it must name a zone, as 'Europe/Zurich'"
            ) from None


def _origins(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    for each in listed:
        if not isinstance(each, str) or not (each == "*" or ORIGIN.fullmatch(each)):
            raise ExportConfigurationException(
                f"cors_origins has {each!r}; it must list sites without a path, as "
                "'https://www.example.org', or '*' for all"
            )
    return tuple(listed)


def _api_mode(value: Any) -> ApiMode:
    try:
        return ApiMode[value] if isinstance(value, str) else ApiMode(value)
    except (KeyError, ValueError):
        names = ", ".join(f"{mode.value} ({mode.name})" for mode in ApiMode)
        raise ExportConfigurationException(
            f"api_mode is {value!r}; it must be one of {names}"
        ) from None
