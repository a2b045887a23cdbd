"""`indico_scheduler config`: the settings in force, and where each comes from."""

from __future__ import annotations

import argparse
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from daemon.config import SECTIONS, Config
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.console import as_json, as_table
from scheduler.values.masking import hidden, shown_address

DEFAULT, FILE, ENVIRONMENT, OPTION = "default", "file", "environment", "option"


class Setting(NamedTuple):
    """A setting: `section.name`, its value with secrets masked, and where that comes from."""

    setting: str
    value: Any
    source: str


def check(options: argparse.Namespace, config: Config) -> int:
    """Say that the settings, which are read by now, are good; a bad one was named instead."""
    file = getattr(options, "config", None)
    print(f"the configuration {file} is good" if file else "no file is given; see `config show`")
    return 0


def show(options: argparse.Namespace, config: Config) -> int:
    """Print each setting with its value and its source; passwords are masked."""
    found = list(_settings(options, config))
    if options.json:
        print(as_json([each._asdict() for each in found]))
    else:
        print(as_table(("setting", "value", "from"), [_cells(each) for each in found]))
    return 0


def defaults(options: argparse.Namespace, config: Config) -> int:
    """Print the defaults in the form of the file; those that are unset stand as comments."""
    default = Config()
    print(_assignment("database", default.database))
    for section in SECTIONS:
        print(f"\n[{section}]")
        for each in fields(getattr(default, section)):
            print(_assignment(each.name, getattr(getattr(default, section), each.name)))
    return 0


def _settings(options: argparse.Namespace, config: Config) -> Iterator[Setting]:
    file = getattr(options, "config", None)
    written = {} if file is None else tomllib.loads(Path(file).read_text(encoding="utf-8"))
    before = Config() if file is None else Config.read(file)
    source = _source_of_database(options, written)
    yield Setting("database", shown_address(config.database), source)
    for section in SECTIONS:
        ours, read = getattr(config, section), getattr(before, section)
        for each in fields(ours):
            value = getattr(ours, each.name)
            named = FILE if each.name in written.get(section, {}) else DEFAULT
            source = named if value == getattr(read, each.name) else OPTION
            yield Setting(f"{section}.{each.name}", _masked(value), source)


def _source_of_database(options: argparse.Namespace, written: Mapping[str, Any]) -> str:
    if getattr(options, "database", None) is not None:
        return OPTION
    if written.get("database"):
        return FILE
    return ENVIRONMENT if os.environ.get(URI_VARIABLE) else DEFAULT


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return hidden(shown_address(value))
    return list(value) if isinstance(value, tuple) else value


def _cells(each: Setting) -> tuple[str, str, str]:
    return each.setting, "-" if each.value is None else _toml(each.value), each.source


def _assignment(name: str, value: Any) -> str:
    return f"# {name} =" if value is None else f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
