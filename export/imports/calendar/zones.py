"""Time zones by the names that other programs have for them."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from export.model.local_time import iana_zone

RAILS = {
    "International Date Line West": "Etc/GMT+12",
    "Midway Island": "Pacific/Midway",
    "American Samoa": "Pacific/Pago_Pago",
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Juneau",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Mountain Time (US & Canada)": "America/Denver",
    "Arizona": "America/Phoenix",
    "Central Time (US & Canada)": "America/Chicago",
    "Eastern Time (US & Canada)": "America/New_York",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Central America": "America/Guatemala",
    "Saskatchewan": "America/Regina",
    "Guadalajara": "America/Mexico_City",
    "Quito": "America/Lima",
    "Atlantic Time (Canada)": "America/Halifax",
    "Georgetown": "America/Guyana",
    "Newfoundland": "America/St_Johns",
    "Brasilia": "America/Sao_Paulo",
    "Greenland": "America/Nuuk",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Buenos Aires": "America/Argentina/Buenos_Aires",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Edinburgh": "Europe/London",
    "Bern": "Europe/Zurich",
    "West Central Africa": "Africa/Algiers",
    "Istanbul": "Europe/Istanbul",
    "Kyiv": "Europe/Kyiv",
    "Pretoria": "Africa/Johannesburg",
    "St. Petersburg": "Europe/Moscow",
    "Abu Dhabi": "Asia/Muscat",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Islamabad": "Asia/Karachi",
    "Chennai": "Asia/Kolkata",
    "Mumbai": "Asia/Kolkata",
    "New Delhi": "Asia/Kolkata",
    "Sri Jayawardenepura": "Asia/Colombo",
    "Astana": "Asia/Almaty",
    "Hanoi": "Asia/Bangkok",
    "Beijing": "Asia/Shanghai",
    "Osaka": "Asia/Tokyo",
    "Sapporo": "Asia/Tokyo",
    "Canberra": "Australia/Canberra",
    "Solomon Is.": "Pacific/Guadalcanal",
    "New Caledonia": "Pacific/Noumea",
    "Marshall Is.": "Pacific/Majuro",
    "Wellington": "Pacific/Auckland",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Samoa": "Pacific/Apia",
    "Chatham Is.": "Pacific/Chatham",
}
"""Names of Rails that are not those of a city with a zone of its own."""


def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone of *name*, as IANA, Windows, Rails or a vendor's prefix has it; or None."""
    name = name.strip().strip("\"'").strip()
    for known in (name, WINDOWS_TO_OLSON.get(name), RAILS.get(name), *_endings(name)):
        zone = iana_zone(known) if known else None
        if zone is not None:
            return zone
    cities = _zones_of_cities().get(_folded(name), set())
    return iana_zone(min(cities)) if len(cities) == 1 else None


def _endings(name: str) -> list[str]:
    """Return what remains of a name that begins with a vendor, as `/example.org/Europe/Berlin`."""
    parts = name.strip("/").split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts) - 1)]


@cache
def _zones_of_cities() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name in available_timezones():
        area, _, city = name.rpartition("/")
        if area and area.partition("/")[0] not in {"Etc", "US", "SystemV", "posix", "right"}:
            found[_folded(city)].add(name)
    return found


def _folded(name: str) -> str:
    return re.sub(r"[\s_.-]+", " ", name).casefold()
