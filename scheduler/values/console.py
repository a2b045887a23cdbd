"""Output: what a command found, as JSON for programs or as text for people."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from scheduler.values.legible import Styled, legible

BOLD, NORMAL = "\x1b[1m", "\x1b[0m"
RED, GREEN, YELLOW, CYAN = (f"\x1b[3{number}m" for number in (1, 2, 3, 6))
STYLES = {
    **dict.fromkeys(("failed", "terminated", "dead", "failing", "quarantined", "lost"), RED),
    **dict.fromkeys(("finished", "active", "up to date"), GREEN),
    **dict.fromkeys(("cancelled", "paused", "stopped", "unresponsive", "inactive"), YELLOW),
    **dict.fromkeys(("running", "busy"), CYAN),
}
"""The colours of words that stand in a cell of their own."""

NOTHING: tuple[Any, ...] = (None, "", [], (), {})


def answer(options: argparse.Namespace, facts: Any, text: str) -> None:
    """Print *text*; where `--json` asks for it, *facts* as one JSON document instead."""
    print(as_json(facts) if options.json else text)


def refuse(options: argparse.Namespace, program: str, text: str, status: int) -> int:
    """Print on stderr in a line why *program* fails, as JSON with `--json`; return *status*."""
    if getattr(options, "json", False):
        print(as_line({"error": text, "status": status}), file=sys.stderr)
    else:
        print(f"{program}: {text}", file=sys.stderr)
    return status


def counted(number: int, noun: str) -> str:
    """Return *number* with its *noun*, as `1 task` or `2 tasks`."""
    return f"{number} {noun if number == 1 else f'{noun}s'}"


def as_json(value: Any) -> str:
    """Return *value* as one JSON document; dates are in ISO 8601, with their zone."""
    return legible(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def as_line(value: Any) -> str:
    """Return *value* as JSON on one line."""
    return legible(json.dumps(value, default=_plain, ensure_ascii=False))


def as_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return *rows* below their *heads*, in columns, in colours on a terminal; dates are in UTC."""
    lines = [tuple(heads), *(tuple(as_text(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    plain = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    styled = [
        "  ".join(_styled(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines[1:]
    ]
    return Styled("\n".join(plain), "\n".join([f"{BOLD}{plain[0]}{NORMAL}", *styled]))


def _styled(cell: str, width: int) -> str:
    padding = " " * (width - len(cell))
    return f"{STYLES[cell]}{cell}{NORMAL}{padding}" if cell in STYLES else f"{cell}{padding}"


def as_lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield *facts* as lines, one or more for each; what is not known is left out."""
    for name, value in facts.items():
        if value in NOTHING:
            continue
        if isinstance(value, list):
            yield f"{indent}{name}:"
            for part in value:
                yield from _part(part, indent)
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{name}:"
            yield from (f"{indent}  {line}" for line in legible(value).rstrip().split("\n"))
        else:
            yield f"{indent}{name + ':':<10} {as_text(value)}"


def as_text(value: Any) -> str:
    """Return *value* on one line, legible."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {as_text(part)}" for name, part in value.items())
    if isinstance(value, tuple):
        return " ".join(as_text(part) for part in value)
    return " ".join(legible(str(value)).split())


def _part(part: Any, indent: str) -> Iterator[str]:
    if not isinstance(part, Mapping):
        yield f"{indent}  {as_text(part)}"
        return
    mark = "- "
    for line in as_lines(part):
        yield f"{indent}  {mark}{line}"
        mark = "  "


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
