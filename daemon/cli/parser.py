"""How commands are added to `indico_scheduler`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from daemon.config import Config

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Command = Callable[[argparse.Namespace, Config], int]


def add(
    commands: Subparsers,
    common: argparse.ArgumentParser,
    name: str,
    command: Command,
    text: str,
) -> argparse.ArgumentParser:
    """Add the command *name*, which also takes the options of *common*; return its parser."""
    sub = commands.add_parser(name, parents=[common], help=text)
    sub.set_defaults(command=command)
    sub.add_argument("--json", action="store_true", help="print JSON, for programs")
    return sub
