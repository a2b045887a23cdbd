"""The commands of the three programs, as their parsers have them."""

from __future__ import annotations

import argparse
from typing import NamedTuple

from daemon.cli import arguments
from export.cli import main as export_main
from livesync.cli import main as livesync_main

PARSERS = {
    "indico_scheduler": arguments.parser,
    "indico_livesync": livesync_main._parser,
    "indico_export": export_main._parser,
}


class Command(NamedTuple):
    """A command: its words without the program, its parser, and in a line what it does."""

    words: tuple[str, ...]
    parser: argparse.ArgumentParser
    about: str

    @property
    def name(self):
        return " ".join(self.words)


def commands(program):
    """Return the commands of *program*: those that do something, no groups of others."""
    return list(_within(PARSERS[program](), ()))


def options(parser):
    """Return the options and arguments of *parser* that are told to people, in order."""
    told = [each for each in parser._actions if each.help is not argparse.SUPPRESS]
    return [each for each in told if not isinstance(each, argparse._HelpAction)]


def _within(parser, words):
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        about = {each.dest: each.help for each in action._choices_actions}
        for name, sub in action.choices.items():
            found = list(_within(sub, (*words, name)))
            yield from found or [Command((*words, name), sub, about[name])]
