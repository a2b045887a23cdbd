"""Completion: what a shell is to be told so that it completes the words of a command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

SHELLS = ("bash", "zsh", "fish")
FILES, FOLDERS = {"FILE"}, {"FOLDER"}


class CompletionAction(argparse.Action):
    """The action of `--completion SHELL`: it prints a script for that, and ends the process."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        about = "print the script that completes the words of this command in a shell"
        super().__init__(
            option_strings, dest, choices=SHELLS, default=argparse.SUPPRESS, help=about
        )

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: Any, *_: object
    ) -> None:
        """Print the script on stdout; the exit status is 0."""
        # Imported only where it is asked for: short commands begin sooner without it.
        import shtab

        for action in _actions(parser):
            if action.metavar in FILES | FOLDERS:
                kind = shtab.FILE if action.metavar in FILES else shtab.DIRECTORY
                action.complete = kind  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell=values))  # noqa: T201 (a command's output)
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        for sub in set(action.choices.values()) if isinstance(action.choices, dict) else ():
            yield from _actions(sub)
