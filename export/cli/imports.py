"""The command of imports: `indico_export import SOURCE...`.

Exit status: 0 all of it went in, 1 something was left out, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
from argparse import Namespace

from ZODB import DB

from export.cli.parser import Commands, add_command
from export.imports.ids import REACHABLE
from export.model.catalogue import ROOT
from scheduler.values.extras import ExtraMissingError, extra_needed

ABOUT = "take over events from files, or from an Indico's address"
DOMAIN = "EXPORT_DOMAIN"
SOURCE = "an Indico's JSON, iCalendar, a schedule as JSON or XML; or https://.../export/..."


def add_commands(commands: Commands) -> None:
    """Add the command of imports."""
    parser = add_command(commands, "import", ABOUT, _import)
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help=SOURCE)
    parser.add_argument(
        "--replace", action="store_true", help="replace events that came from there before"
    )
    parser.add_argument("--strict", action="store_true", help="all of it, or nothing")
    parser.add_argument(
        "--category",
        type=_id,
        default=ROOT,
        metavar="ID",
        help="for events that name none; default: root",
    )
    parser.add_argument("--timezone", type=_zone, metavar="ZONE", help="of times that have none")
    parser.add_argument(
        "--domain",
        default=os.environ.get(DOMAIN, ""),
        metavar="NAME",
        help=f"this installation's own, whose ids are kept; default: ${DOMAIN}",
    )


def _zone(name: str) -> str:
    try:
        with extra_needed():
            from export.imports.calendar.zones import zone_named
    except ExtraMissingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    zone = zone_named(name)
    if zone is None:
        raise argparse.ArgumentTypeError(f"no zone {name!r}; a zone is as Europe/Zurich")
    return zone.key


def _id(name: str) -> str:
    if not REACHABLE.fullmatch(name):
        raise argparse.ArgumentTypeError(f"no id {name!r}; an id has letters, digits and _ only")
    return name


def _import(options: Namespace, database: DB) -> int:
    with extra_needed():
        from export.cli.takeover import take_over

    return take_over(options, database)
