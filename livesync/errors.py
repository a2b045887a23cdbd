"""What can go wrong in livesync, by name: every error derives from LiveSyncException."""

from __future__ import annotations


class LiveSyncException(Exception):  # noqa: N818 (one family with the documented names)
    """The root of all errors of livesync."""


class EmptyTrackException(LiveSyncException):
    """The track holds nothing, so that there is no position to speak of."""


class QueryException(LiveSyncException):
    """A query does not say on whose behalf it is made."""


class AgentExecutionException(LiveSyncException):
    """An agent cannot be run, or its target did not take what it was sent."""


class DuplicateAgentException(LiveSyncException):
    """An agent with this id is registered already."""


class DuplicatePointerException(LiveSyncException):
    """A pointer with this id stands on the track already."""


class UnknownAgentException(LiveSyncException, KeyError):  # noqa: N818 (one family)
    """No agent with this id is registered."""

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownPointerException(LiveSyncException, KeyError):  # noqa: N818 (one family)
    """No pointer with this id stands on the track."""

    def __str__(self) -> str:
        return str(self.args[0])
