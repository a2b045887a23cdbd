"""Pages of the site that are no documents: the README, the public names, and how it is made.

A hook of `mkdocs.yml`.
"""

from __future__ import annotations

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
DOORS = {
    "scheduler": (
        *("scheduler", "scheduler.tasks", "scheduler.store", "scheduler.hooks"),
        *("scheduler.states", "scheduler.clock", "scheduler.queue", "scheduler.testing"),
    ),
    "livesync": (
        *("livesync", "livesync.agent", "livesync.watching", "livesync.components"),
        *("livesync.hooks", "livesync.struct", "livesync.tasks", "livesync.testing"),
    ),
    "export": (
        *("export.app", "export.settings", "export.fossilize", "export.collection"),
        *("export.categories", "export.registered", "export.resource", "export.signature"),
    ),
    "daemon": ("daemon.pyramid", "daemon.zope", "daemon.config"),
}
"""By package, the modules whose names are public."""

BESIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
BESIDE |= {"CHANGELOG.md": "changelog.md", "LICENSE": "license.md"}
"""The texts that stand above the documents, and their pages."""


def on_files(files, config):
    """Add the pages that no document is."""
    texts = {page: beside(name) for name, page in BESIDE.items()}
    texts |= {f"python/{package}.md": names_page(package) for package in DOORS}
    for page, text in texts.items():
        files.append(File.generated(config, page, content=text))
    return files


def beside(name):
    """Return the text *name* above the documents, with links as the site has them."""
    text = (ROOT / name).read_text()
    text = re.sub(r"\]\(docs/", "](", text)
    for file, page in BESIDE.items():
        text = text.replace(f"]({file})", f"]({page})")
    return text if text.startswith("#") else f"# {name.capitalize()}\n\n{text}"


def names_page(package):
    """Return the page about the public names of *package*, module by module."""
    parts = [f"# The names of `{package}`"]
    for module, names in public_names(package).items():
        parts.append(f"## `{module}`\n\n{import_module(module).__doc__}")
        parts += [f"::: {place(module, name)}" for name in names]
    return "\n\n".join(parts)


def place(module, name):
    """Return where *name* of *module* is found, also where a module of that name is in the way."""
    path = f"{module}.{name}"
    if f"{module}.{name}" not in sys.modules:
        return path
    found = getattr(import_module(module), name)
    return f"{found.__module__}.{found.__qualname__}"


def public_names(package):
    """Return the public names of *package* by module: of the doors, and those in documents."""
    found = {module: list(names_of(module)) for module in DOORS[package]}
    for module, name in documented_names():
        is_here = module.partition(".")[0] == package and not module.endswith(".errors")
        if is_here and not is_module(module, name) and name not in found.setdefault(module, []):
            found[module].append(name)
    return {module: names for module, names in found.items() if names}


def is_module(package, name):
    """Say whether *name* of *package* is a module."""
    return isinstance(getattr(import_module(package), name), ModuleType)


def names_of(module):
    """Yield the public names of *module*: those it lists, or else defines."""
    loaded = import_module(module)
    if hasattr(loaded, "__all__"):
        yield from sorted(loaded.__all__, key=lambda name: (name.isupper(), name.casefold()))
        return
    for node in ast.parse(Path(loaded.__file__).read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name


def documented_names():
    """Yield the names that the code in documents imports, each with its module, in order."""
    packages = "|".join(DOORS)
    found = set()
    for document in sorted((ROOT / "docs").glob("*.md")):
        for code in re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL):
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and re.match(packages, node.module):
                    found |= {(node.module, each.name) for each in node.names}
    return sorted(found)
