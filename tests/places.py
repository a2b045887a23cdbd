"""Where the project's files are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SMALL_EVENT = ROOT / "tests" / "export" / "small_event.json"
