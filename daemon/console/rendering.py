"""The templates: how values of all kinds look on a page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from daemon.console.segment import segment
from scheduler.values.legible import legible

HERE = Path(__file__).parent
STATIC = HERE / "static"

MINUTE, HOUR, DAY = 60, 3600, 86400
NONE = Markup('<span class="none">–</span>')  # noqa: RUF001 (a dash for what is not there)


def rendered(template: str, facts: Mapping[str, Any]) -> str:
    """Return the page that *template* makes of *facts*."""
    return _environment().get_template(template).render(facts)


def moment(date: datetime | None, form: str = "clock") -> Markup:
    """Return *date* as an element that shows it in the reader's zone, and UTC on hover.

    *form* is "clock", "date", "ago", "both" or "short".
    """
    if date is None:
        return NONE
    date = date.astimezone(UTC)
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
        f"{date:%Y-%m-%dT%H:%M:%S.%fZ}",
        form,
        f"{date:%Y-%m-%d %H:%M:%S} UTC",
        f"{date:%Y-%m-%d %H:%M:%S} UTC",
    )


def duration(seconds: float | None) -> str | Markup:
    """Return a duration in the unit that fits: 3 ms, 2.1 s, 4 min, 3.5 h, 2 d."""
    if seconds is None:
        return NONE
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or seconds == 0 else "< 1 ms"
    for limit, size, unit in ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h")):
        if seconds < limit:
            value = seconds / size
            text = f"{value:.1f}" if value < 10 and unit != "min" else f"{value:.0f}"
            return f"{text.removesuffix('.0')} {unit}"
    return f"{seconds / DAY:.0f} d"


def number(value: float | None) -> str | Markup:
    """Return a number with spaces between thousands, and at most one decimal place."""
    if value is None:
        return NONE
    text = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def size(count: float | None) -> str | Markup:
    """Return a number of bytes in the unit that fits."""
    if count is None:
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def linked(text: str) -> Markup:
    """Return *text* with the tasks that it names as links."""
    parts = re.split(r"\btask (\d+)\b", text)
    shown = [legible(part) for part in parts]
    for at in range(1, len(parts), 2):
        shown[at] = Markup('<a href="/tasks/{0}">task {0}</a>').format(parts[at])
    return Markup("").join(shown)


@cache
def address_of(name: str) -> str:
    """Return the address of the static file *name*, which changes with its content."""
    return f"/console/{name}?{hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        auto_reload=False,
    )
    environment.filters |= {
        "moment": moment,
        "duration": duration,
        "number": number,
        "size": size,
        "segment": segment,
        "linked": linked,
    }
    environment.globals |= {"static": address_of}
    return environment


def _shown(value: Any) -> Any:
    """Return *value* as it is put on a page: nothing of it acts on the page or its reader."""
    if value is None:
        return NONE
    return value if isinstance(value, Markup) else legible(str(value))
