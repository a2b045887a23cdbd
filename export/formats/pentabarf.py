"""The schedule of an event as XML, as pentabarf and frab write it, for apps of conferences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree
from lxml.builder import E

from export.formats.programme import programme
from export.formats.site import address_of
from export.http.request import ExportRequest

CONTENT_TYPE = "application/xml; charset=utf-8"
ABOUT = ("acronym", "title", "start", "end", "timeslot_duration", "time_zone_name")
TEXTS = (
    *("date", "start", "duration", "room", "slug", "url", "title", "subtitle", "track", "type"),
    *("language", "abstract", "description"),
)
WEB = ("http://", "https://")


def write(body: Mapping[str, Any], request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the schedule of the one event in *body*; *pretty* indents it."""
    (event,) = body["results"]
    schedule = programme(event, address_of(body, request))
    document: bytes = etree.tostring(
        _schedule(schedule), xml_declaration=True, encoding="utf-8", pretty_print=pretty
    )
    return document


def _schedule(schedule: Mapping[str, Any]) -> Any:
    about = schedule["conference"]
    days = [_day(day) for day in about["days"]]
    return E.schedule(
        E.generator(name="zodb-relay"),
        E.version(schedule["version"]),
        E.conference(
            *(E(key, about[key]) for key in ABOUT if key in about),
            E.days(str(about["daysCount"])),
            *([E.base_url(schedule["base_url"])] if _is_web(schedule["base_url"]) else ()),
        ),
        *(days or [E.day(index="1")]),  # a schedule without a day is none
    )


def _day(day: Mapping[str, Any]) -> Any:
    rooms = (E.room(*map(_talk, talks), name=name) for name, talks in day["rooms"].items())
    edges = {"start": day["day_start"], "end": day["day_end"]}
    return E.day(*rooms, index=str(day["index"]), date=day["date"], **edges)


def _talk(talk: Mapping[str, Any]) -> Any:
    return E.event(
        *(E(key, talk[key]) for key in TEXTS if key != "url" or _is_web(talk[key])),
        E.persons(*(E.person(one["public_name"], id=str(one["id"])) for one in talk["persons"])),
        E.links(*_links("link", talk["links"])),
        E.attachments(*_links("attachment", talk["attachments"])),
        id=str(talk["id"]),
        guid=talk["guid"],
    )


def _links(name: str, links: Iterable[Mapping[str, str]]) -> Iterable[Any]:
    return (E(name, link["title"], href=link["url"]) for link in links)


def _is_web(address: str) -> bool:
    return address.startswith(WEB)
