"""The table of settings in `docs/settings.md`: `python -m tests.docs.settings_table` writes it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields

from daemon.cli.configuration import _toml
from daemon.config import SECTIONS, Config
from daemon.setting_sources import variable
from tests.places import ROOT

FILE = ROOT / "docs" / "settings.md"
HEAD = """# Settings

The settings of the daemon: in a file (`--config FILE`, see `etc/relay.toml`), and in the
environment, which goes before it. An option of a command goes before both.
`indico_scheduler config show` tells the value in force of each, and where it comes from.

A variable is named `RELAY_SECTION__NAME`, as `RELAY_SCHEDULER__WORKERS=4`. A value is written as in
the file; a text needs no quotes, and a list may be given with commas. With `_FILE` behind its name
it names a file with the value, for secrets: `RELAY_DATABASE_FILE=/run/secrets/database`. A variable
of these names that is no setting stops the start and is named.
"""


def documented(kind):
    """Return by the name of each field of the dataclass *kind* what it means."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            found[field.target.id] = " ".join(inspect.cleandoc(text.value.value).split())
    return found


def rows(settings, *section):
    meanings = documented(type(settings))
    for field in fields(settings):
        if field.name in SECTIONS:
            continue
        value = getattr(settings, field.name)
        default = "" if value is None else f"`{_toml(value)}`"
        name = variable(*section, field.name)
        yield f"| `{field.name}` | {default} | {meanings[field.name]} | `{name}` |"


def text():
    """Return the document."""
    config = Config()
    parts = [HEAD]
    for section in (None, *SECTIONS):
        settings = config if section is None else getattr(config, section)
        title = "Above all sections" if section is None else f"[{section}]"
        about = "" if section is None else inspect.getdoc(type(settings)).split("\n")[0] + "\n\n"
        lines = rows(settings) if section is None else rows(settings, section)
        head = "| setting | default | meaning | variable |\n| --- | --- | --- | --- |"
        parts.append(f"## {title}\n\n{about}{head}\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(text())
