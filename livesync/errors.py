"""Errors of livesync; all derive from LiveSyncException."""

from __future__ import annotations

from collections.abc import Collection


class LiveSyncException(Exception):  # noqa: N818 (one family with the documented names)
    """The root of all errors of livesync."""


class EmptyTrackException(LiveSyncException):
    """The track holds nothing, so that there is no position to speak of."""


class QueryException(LiveSyncException):
    """A query does not say on whose behalf it is made."""


class AgentExecutionException(LiveSyncException):
    """An agent cannot be run, or its target did not take what it was sent."""


class PartialFailure(AgentExecutionException):
    """The target took a batch but for some records, and will never take those as they are.

    `refused` says why, by the index of each such record in its batch; `unsendable` are those
    indexes of them that were never offered to the target. A target that takes no record at all
    of those it was offered is at fault itself.
    """

    def __init__(
        self, message: str, refused: dict[int, str], unsendable: Collection[int] = ()
    ) -> None:
        super().__init__(message)
        self.refused = refused
        self.unsendable = frozenset(unsendable)


class Overloaded(AgentExecutionException):
    """The target wants the whole batch again later: after *retry_after* seconds, if it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AgentBusyException(AgentExecutionException):
    """Another run is delivering to this agent."""


class TargetAheadException(AgentExecutionException):
    """The target is beyond all positions of this database, which is an older backup."""


class CutOffException(AgentExecutionException):
    """Nothing is kept for the agent any more: changes before it may be gone."""


class PositionGoneException(LiveSyncException):
    """The changes behind a position are not kept any more."""


class AgentSettingException(LiveSyncException):
    """An agent cannot be made or changed like this."""


class WatchException(LiveSyncException, TypeError):  # noqa: N818 (one family)
    """A class cannot be watched like this."""


class IdentifyException(LiveSyncException):
    """The function that identifies the objects of a watched class fails; nothing is stored."""


class TokenException(LiveSyncException):
    """A text is no token."""


class TokenGoneException(TokenException):
    """The transaction that a token stands for is not in the database."""


class TargetFault(AgentExecutionException):
    """The target takes nothing, whatever is sent: no record is at fault."""


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


class UnknownDeadLetterException(LiveSyncException, KeyError):  # noqa: N818 (one family)
    """The agent has no dead letter of this name."""

    def __str__(self) -> str:
        return str(self.args[0])
