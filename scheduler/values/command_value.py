"""Values given to commands, secrets above all: by a file, the environment or standard input.

The list of processes shows arguments to every user of the machine.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path

ENVIRONMENT = "@env:"
HOW = "@FILE, @env:VARIABLE or - (a line of standard input)"


def given(text: str) -> str:
    """Return the value that *text* stands for: HOW, or *text* itself.

    `@@` at the beginning stands for `@`; a line break at the end of a file is no part of the
    value. Raises argparse.ArgumentTypeError.
    """
    if text == "-":
        line = sys.stdin.readline()
        if not line:
            raise ArgumentTypeError("standard input has no line left for a value given as -")
        return line.rstrip("\r\n")
    if text.startswith(ENVIRONMENT):
        name = text.removeprefix(ENVIRONMENT)
        if name not in os.environ:
            raise ArgumentTypeError(f"the environment has no variable {name}")
        return os.environ[name]
    if text.startswith("@@") or not text.startswith("@"):
        return text.removeprefix("@")
    try:
        return Path(text[1:]).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentTypeError(
            f"{text[1:]} cannot be read: {error}; write @@ for a value that begins with @"
        ) from None


def is_shown(text: str) -> bool:
    """Say whether *text* is a value itself, so that the list of processes shows it."""
    return text != "-" and (not text.startswith("@") or text.startswith("@@"))
