"""Base class of agents: each has an id and a pointer on the track (reference 4.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from persistent import Persistent
from ZODB.broken import Broken
from ZODB.POSException import POSKeyError, StateLoadError

from export.fossilize import Fossilizable, IFossil, fossilizes
from livesync.errors import AgentExecutionException, AgentSettingException
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED, Record

if TYPE_CHECKING:
    from livesync.feed.manager import SyncManager

STATUS_NAMES = {STATUS_CHANGED: "MOD", STATUS_CREATED: "CRT", STATUS_DELETED: "DEL"}


class IAgentFossil(IFossil):
    """An agent, as it is shown to those who administer it."""

    def getId(self) -> Any:
        """Return the id."""

    def getName(self) -> Any:
        """Return the name for people."""

    def getDescription(self) -> Any:
        """Return what it is for."""

    def isActive(self) -> Any:
        """Return whether the update task runs it."""

    def getLastTS(self) -> Any:
        """Return the position up to which everything is delivered."""

    def getLastDT(self) -> Any:
        """Return when that position begins."""


@fossilizes(IAgentFossil)
class SyncAgent(Fossilizable, Persistent):
    """A follower of the track, under the id *aid*.

    *updateTime* is in minutes; *access* is the user with whose rights the agent sees objects.
    Conflict behaviour: written only by its own run and by those who administer it.
    """

    _manager: SyncManager | None = None
    _active = False
    _recording = False
    _cut_off: str | None = None

    def __init__(
        self, aid: str, name: str, description: str, updateTime: int, access: Any = None
    ) -> None:
        self._id = aid
        self._name = name
        self._description = description
        self._update_time = updateTime
        self._access = access

    def getId(self) -> str:
        """Return the id."""
        return self._id

    def getName(self) -> str:
        """Return the name for people."""
        return self._name

    def getDescription(self) -> str:
        """Return what the agent is for."""
        return self._description

    @property
    def update_time(self) -> int:
        """The interval at which the agent should be run, in minutes."""
        return self._update_time

    @property
    def access(self) -> Any:
        """The user with whose rights the agent sees objects."""
        return self._access

    @property
    def cut_off(self) -> str | None:
        """Why nothing is kept for the agent any more; None if it is.

        Changes before it may be gone: its target needs a full export.
        """
        return self._cut_off

    @cut_off.setter
    def cut_off(self, reason: str | None) -> None:
        if reason != self._cut_off:
            self._cut_off = reason

    def setManager(self, manager: SyncManager | None) -> None:
        """Attach the agent to *manager*, as its registration does."""
        self._manager = manager

    def isActive(self) -> bool:
        """Say whether the update task runs this agent."""
        return self._active

    def setActive(self, active: bool) -> None:
        """Activate or deactivate the agent; the update task runs active agents only.

        From activation on, the target may know everything that existed before.
        """
        if active and self._manager is not None:
            self._manager.claim()
        self._active = active

    def isRecording(self) -> bool:
        """Say whether changes are kept for this agent since `preActivate`."""
        return self._recording

    @property
    def may_have_sent(self) -> bool:
        """Whether the target may know any object: changes are kept, or were delivered."""
        return self._active or self._recording or self.getLastTS() is not None

    @property
    def is_exporting(self) -> bool:
        """Whether a full export to its target is under way, or was interrupted."""
        return False

    def preActivate(self, ts: int) -> None:
        """Begin at position *ts*: what is recorded from now on will be sent, nothing older.

        Call it before everything is exported by hand; afterwards the agent is set active. On
        an empty track the pointer stays before its beginning, to the same effect.
        """
        manager = self._attached()
        if not manager.getTrack().is_empty():
            manager.advance(self._id, ts)
        self._recording = True
        self.cut_off = None

    def getLastTS(self) -> int | None:
        """Return the position up to which everything is delivered; None for nothing yet."""
        return self._attached().stored_track.getPointerTimestamp(self._id)

    def getLastDT(self) -> datetime | None:
        """Return when that position begins, in UTC; None for nothing yet."""
        position = self.getLastTS()
        if position is None:
            return None
        return datetime.fromtimestamp(position * self._attached().getGranularity(), UTC)

    def record_str(self, record: Record) -> str:
        """Return a line that shows *record*, a tuple of object, object id and status bits."""
        obj, obj_id, status = record
        names = " ".join(name for bit, name in STATUS_NAMES.items() if status & bit)
        return f"{obj!s:<40} {obj_id!s:<20} {names}"

    def _attached(self) -> SyncManager:
        if self._manager is None:
            raise AgentExecutionException(
                f"agent {self._id!r} has no manager: register it with "
                "SyncManager.registerNewAgent first"
            )
        return self._manager


class MissingAgent(SyncAgent):
    """The stand-in for a registered agent that cannot be loaded, with the reason; never stored."""

    def __init__(self, aid: str, complaint: str) -> None:
        super().__init__(aid, aid, complaint, 0)
        self.complaint = complaint


def check_id(aid: Any) -> None:
    """Raise AgentSettingException for what is no id of an agent."""
    if not isinstance(aid, str) or not aid.strip() or not aid.isprintable():
        raise AgentSettingException(
            f"{aid!r} is no id of an agent: give a text that is not empty, without line breaks "
            "and other control characters"
        )


def why_missing(aid: str, registered: Any) -> str | None:
    """Return why the agent *registered* as *aid* cannot be loaded; None if it can."""
    if isinstance(registered, Broken):
        kind = type(registered)
        return (
            f"the class {kind.__module__}:{kind.__qualname__} of agent {aid!r} is missing: install "
            "what it is in, or correct the path on which Python looks for it"
        )
    try:
        if isinstance(registered, Persistent):
            registered._p_activate()
    except (StateLoadError, POSKeyError) as error:
        cause = error.__cause__ or error
        return (
            f"agent {aid!r} cannot be loaded ({type(cause).__name__}: {cause}): install the "
            "version that has stored it, or remove it"
        )
    return None
