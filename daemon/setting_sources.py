"""The sources of settings: the file, and the environment over it.

A variable is `RELAY_SECTION__NAME`; `RELAY_SECTION__NAME_FILE` names a file with the value.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.errors import ConfigurationException
from scheduler.values.options import check_known

PREFIX, SEPARATOR, SUFFIX = "RELAY_", "__", "_FILE"

Defaults = Mapping[str, Any]


def written_in(file: str | Path) -> dict[str, Any]:
    """Return what the TOML *file* says; raises ConfigurationException naming it."""
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationException(f"the configuration {file}: {error}") from error


def in_environment(defaults: Defaults) -> dict[str, Any]:
    """Return the settings of the environment, as the file has them.

    *defaults* have each setting with its default, and a mapping of such for each section. A text
    is taken as it is; a list may be given with commas; all else is written as in the file.
    Raises ConfigurationException naming a variable that is no setting or cannot be read.
    """
    known = {variable(*path): (path, value) for path, value in _paths(defaults)}
    found: dict[str, Any] = {}
    for name, text in sorted(os.environ.items()):
        meant = _meant(name, known)
        if not meant:
            continue
        path, default = known[meant]
        value = _value(text if name == meant else _content(name, text), default)
        section = found.setdefault(path[0], {}) if len(path) > 1 else found
        if path[-1] in section:
            raise ConfigurationException(f"the environment has {meant} and {meant}{SUFFIX}")
        section[path[-1]] = value
    return found


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* with the settings *over* in the place of those of the same name."""
    sections = {
        name: {**values.get(name, {}), **given}
        for name, given in over.items()
        if isinstance(given, Mapping)
    }
    return {**values, **over, **sections}


def variable(*path: str) -> str:
    """Return the name of the variable of the setting at *path*."""
    return PREFIX + SEPARATOR.join(path).upper()


def _paths(defaults: Defaults) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in defaults.items():
        if isinstance(value, Mapping):
            found += [((name, each), default) for each, default in value.items()]
        else:
            found.append(((name,), value))
    return found


def _meant(name: str, known: Mapping[str, Any]) -> str:
    """Return the variable that *name* gives the value of; empty if it is none of ours."""
    for each in (name, name.removesuffix(SUFFIX)):
        if each in known:
            return each
    if name.startswith(PREFIX) and SEPARATOR in name:
        try:
            check_known([name], _beside(name, known), ConfigurationException)
        except ConfigurationException as error:
            raise ConfigurationException(f"the environment: {error}") from None
    return ""


def _beside(name: str, known: Mapping[str, Any]) -> list[str]:
    """Return the *known* variables of the section of *name*; all of them where none is of it."""
    section = name.partition(SEPARATOR)[0] + SEPARATOR
    return [each for each in known if each.startswith(section)] or list(known)


def _content(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationException(f"the environment: {name}: {error}") from None


def _value(text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    if isinstance(default, tuple) and not text.lstrip().startswith("["):
        return [each.strip() for each in text.split(",") if each.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
