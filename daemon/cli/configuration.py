"""`indico_scheduler config`: the settings in force, and where each comes from."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from daemon.config import SECTIONS, Config, given_in_environment
from daemon.setting_sources import written_in
from scheduler.store.database_uri import URI_FILE_VARIABLE, URI_VARIABLE
from scheduler.values.console import answer, as_table
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
    text = f"the configuration {file} is good" if file else "no file is given; see `config show`"
    answer(options, {"file": file, "good": True}, text)
    return 0


def show(options: argparse.Namespace, config: Config) -> int:
    """Print each setting with its value and its source; passwords are masked."""
    found = list(_settings(options, config))
    table = as_table(("setting", "value", "from"), [_cells(each) for each in found])
    answer(options, [each._asdict() for each in found], table)
    return 0


def defaults(options: argparse.Namespace, config: Config) -> int:
    """Print the defaults in the form of the file; those that are unset stand as comments."""
    default = Config()
    answer(options, asdict(default), "\n".join(_file(default)))
    return 0


def _file(config: Config) -> Iterator[str]:
    yield _assignment("database", config.database)
    yield _assignment("key_file", config.key_file)
    for section in SECTIONS:
        yield f"\n[{section}]"
        for each in fields(getattr(config, section)):
            yield _assignment(each.name, getattr(getattr(config, section), each.name))


def _settings(options: argparse.Namespace, config: Config) -> Iterator[Setting]:
    file = getattr(options, "config", None)
    written = {} if file is None else written_in(file)
    given = given_in_environment()
    before = Config.load(file)
    source = _source_of_database(options, written, given)
    yield Setting("database", shown_address(config.database), source)
    yield Setting("key_file", config.key_file, _named("key_file", written, given))
    for section in SECTIONS:
        ours, read = getattr(config, section), getattr(before, section)
        for each in fields(ours):
            value = getattr(ours, each.name)
            named = _named(each.name, written.get(section, {}), given.get(section, {}))
            source = named if value == getattr(read, each.name) else OPTION
            yield Setting(f"{section}.{each.name}", _masked(value), source)


def _named(name: str, written: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    return ENVIRONMENT if name in given else FILE if name in written else DEFAULT


def _source_of_database(
    options: argparse.Namespace, written: Mapping[str, Any], given: Mapping[str, Any]
) -> str:
    if getattr(options, "database", None) is not None:
        return OPTION
    if given.get("database"):
        return ENVIRONMENT
    if written.get("database"):
        return FILE
    is_given = os.environ.get(URI_VARIABLE) or os.environ.get(URI_FILE_VARIABLE)
    return ENVIRONMENT if is_given else DEFAULT


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
