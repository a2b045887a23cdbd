"""The errors of the daemon: each derives from DaemonException."""

from __future__ import annotations


class DaemonException(Exception):  # noqa: N818 (the root, named like the scheduler's)
    """The root of all errors of the daemon."""


class ConfigurationException(DaemonException):
    """A setting is unknown or has an invalid value, or the file of settings cannot be read."""


class Refusal(DaemonException):
    """A command is refused in the present state; `-f` carries it out all the same."""


class StartFailure(DaemonException):
    """The daemon was started and did not come up; the text says why."""


class FieldFault(DaemonException):
    """A field of a form has an invalid value; nothing was done."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
