"""Completion: what a shell is to be told so that it completes the words of a command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

SHELLS = ("bash", "zsh", "fish")
FILES, FOLDERS = {"FILE"}, {"FOLDER"}


class CompletionAction(argparse.Action):
    """The action of `--completion SHELL`: it prints a script for that, and ends the process.

    The commands of *group* stand behind an id, as in `agent ID pause`.
    """

    def __init__(self, option_strings: list[str], dest: str, group: str = "") -> None:
        self._group = group
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
        script = shtab.complete(parser, shell=values)
        if self._group:
            script = _BEHIND_ID[values](script, f"_shtab_{parser.prog}", self._group)
        print(script)  # noqa: T201 (a command's output)
        parser.exit()


def _behind_id_in_zsh(script: str, prefix: str, group: str) -> str:
    """Return *script*, in which the first word of *group* is an id, and the second its command."""
    words = f"(': :{prefix}_{group}_commands'"
    before, begin, rest = script.partition(f"\n{prefix}_{group}() {{\n")
    function, end, after = rest.partition("\n}\n")
    function = function.replace(words, words.replace("(", "(':ID:' ")).replace(
        "$line[1]", "$line[2]"
    )
    return before + begin + function + end + after


def _behind_id_in_fish(script: str, prefix: str, group: str) -> str:
    """Return *script*, which does not count the first word of *group* as its command."""
    found = f"            set -g {prefix}_cmdpath $candidate\n"
    count = f'            test "$candidate" = {group}; and set -g {prefix}_npos -1\n'
    return script.replace(found, found + count)


_BEHIND_ID = {
    "bash": lambda script, *_: script,  # which passes over words that are no commands
    "zsh": _behind_id_in_zsh,
    "fish": _behind_id_in_fish,
}


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        for sub in set(action.choices.values()) if isinstance(action.choices, dict) else ():
            yield from _actions(sub)
