"""The version of this software."""

from __future__ import annotations

import argparse
from typing import Any

DISTRIBUTION = "zodb-relay"


def own_version() -> str:
    """Return the name and version of this software, as `--version` prints them."""
    # Imported only where it is asked for: it costs a short command a tenth of its time.
    from importlib.metadata import version

    return f"{DISTRIBUTION} {version(DISTRIBUTION)}"


class VersionAction(argparse.Action):
    """The action of `--version`: it prints the version, and ends the process."""

    def __init__(self, option_strings: list[str], dest: str) -> None:
        about = "print the version, and end"
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=about)

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        """Print the version on stdout; the exit status is 0."""
        print(own_version())  # noqa: T201 (a command's output)
        parser.exit()
