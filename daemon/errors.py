"""What can go wrong in the daemon, by name: every error derives from DaemonException."""

from __future__ import annotations


class DaemonException(Exception):  # noqa: N818 (the root, named like the scheduler's)
    """The root of all errors of the daemon."""


class ConfigurationException(DaemonException):
    """A setting is unknown, has a value of no use, or its file cannot be read."""


class Refusal(DaemonException):
    """A command is not carried out as things stand; `-f` carries it out all the same."""


class StartFailure(DaemonException):
    """The daemon was started and did not come up; the text says why."""
