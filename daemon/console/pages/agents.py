"""The agents: where each stands on the track, what its target refused, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from werkzeug.exceptions import NotFound
from ZODB.Connection import Connection

from daemon.console.page import Action, ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from daemon.views.task_rows import word
from export.people.roles import Role
from livesync import SyncManager
from livesync.delivery.dead_letters import DeadLetter
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.status import AgentStatus, status_of
from livesync.errors import EmptyTrackException, LiveSyncException
from livesync.feed.agent import MissingAgent, SyncAgent
from livesync.feed.position_text import position_from_text
from livesync.resync.jobs import KEY, export_all, verify
from scheduler import SchedulerModule
from scheduler.states import ENDED

WIDTH = 960
LETTERS = 100
EMPTY = "The track is empty"


class TrackLine(NamedTuple):
    """The track drawn as a line of WIDTH units, from its oldest position to its newest."""

    oldest: int
    newest: int
    pointers: list[tuple[str, int]]
    """Each agent with its place on the line."""


class LetterRow(NamedTuple):
    """A refused record: its name and reason, and when it is sent again."""

    name: str
    reason: str
    tries: int
    since: datetime
    due: datetime | None
    """None for a dead letter."""


def track_line(manager: SyncManager) -> TrackLine | None:
    """Return the track as a line; None for an empty one."""
    track = manager.getTrack()
    try:
        oldest, newest = track.oldestTS(), track.mostRecentTS()
    except EmptyTrackException:
        return None
    before = oldest - 1  # where an agent stands that is to have all of it
    length = max(1, newest - before)
    places = [
        (agent.getId(), round(max(0, min(length, position - before)) / length * WIDTH))
        for agent in manager.agents()
        for position in [_position(agent, before)]
    ]
    return TrackLine(oldest, newest, places)


def _position(agent: SyncAgent, before: int) -> int:
    position = agent.getLastTS()
    return before if position is None else position


def _facts(visit: Visit) -> Facts:
    manager = SyncManager.getDBInstance(visit.connection)
    return {
        "rows": [status_of(agent, manager) for agent in manager.agents()],
        "line": track_line(manager),
        "width": WIDTH,
        "granularity": manager.getGranularity(),
    }


def _one(visit: Visit) -> Facts:
    agent = _agent(visit)
    manager = SyncManager.getDBInstance(visit.connection)
    delivery = agent.delivery_state if isinstance(agent, PushSyncAgent) else None
    letters = () if delivery is None else delivery.dead_letters
    shown = list(islice(letters, LETTERS))
    status = status_of(agent, manager)
    return {
        "row": status,
        "is_push": isinstance(agent, PushSyncAgent) and not isinstance(agent, MissingAgent),
        "letters": [_letter(each) for each in shown],
        "more": len(letters) - len(shown),
        "line": track_line(manager),
        "width": WIDTH,
        "full_export": None if delivery is None else delivery.full_export,
        "work": _work(visit.connection, agent.getId()),
        "mean": _mean(status),
    }


def _work(connection: Connection, agent_id: str) -> Facts | None:
    """Return the number, the state and the progress of the task that is at work on an agent."""
    module = SchedulerModule.getDBInstance(connection)
    task = module.unique.holder(KEY.format(agent_id=agent_id))
    if task is None or task.getStatus() in ENDED:
        return None
    return {"number": task.getId(), "state": word(task), "progress": task.getProgress()}


def _mean(status: AgentStatus) -> float | None:
    return status.batches_seconds / status.batches if status.batches else None


def _letter(letter: DeadLetter) -> LetterRow:
    due = None if letter.due is None else datetime.fromtimestamp(letter.due, UTC)
    since = datetime.fromtimestamp(letter.since, UTC)
    return LetterRow(letter.name, letter.reason, letter.tries, since, due)


def _agent(visit: Visit) -> SyncAgent:
    manager = SyncManager.getDBInstance(visit.connection)
    try:
        return manager.getAgent(visit.arguments["aid"])
    except KeyError:
        raise NotFound(f"There is no agent {visit.arguments['aid']!r}") from None


def _push_agent(visit: Visit) -> PushSyncAgent:
    _agent(visit)
    try:
        return push_agent(visit.connection, visit.arguments["aid"])
    except LiveSyncException as error:
        raise NotFound(str(error)) from None


def _idle_agent(visit: Visit) -> PushSyncAgent:
    """Return the agent, if no task is at work on it: a second one would be turned away."""
    agent = _push_agent(visit)
    work = _work(visit.connection, agent.getId())
    if work is not None:
        raise FieldFault("act", f"Task {work['number']} is at work on it: nothing was done")
    return agent


def _pause(visit: Visit) -> str:
    _push_agent(visit).delivery_state.paused = True
    return f"Agent {visit.arguments['aid']} is paused, after the batch that is under way"


def _resume(visit: Visit) -> str:
    _push_agent(visit).delivery_state.paused = False
    return f"Agent {visit.arguments['aid']} goes on where it was paused"


def _activate(visit: Visit) -> str:
    _push_agent(visit).setActive(True)
    return f"Agent {visit.arguments['aid']} is active"


def _deactivate(visit: Visit) -> str:
    _push_agent(visit).setActive(False)
    return f"Agent {visit.arguments['aid']} is not active any more"


def _retry(visit: Visit) -> str:
    _push_agent(visit).delivery_state.make_due()
    return f"Agent {visit.arguments['aid']} is tried again with the next run"


def _rewind(visit: Visit) -> str:
    agent, text = _push_agent(visit), visit.form.get("position", "").strip()
    try:
        agent.rewind(position_from_text(SyncManager.getDBInstance(visit.connection), text))
    except (LiveSyncException, KeyError) as error:
        raise FieldFault("position", str(error) or EMPTY) from None
    return f"Agent {visit.arguments['aid']} stands at {text}"


def _verify(visit: Visit) -> str:
    agent = _idle_agent(visit)
    repair = "repair" in visit.form
    task = verify.using(visit.connection).enqueue(agent.getId(), repair)
    return f"Agent {agent.getId()} is verified by task {task.getId()}, whose log tells how"


def _export(visit: Visit) -> str:
    agent = _idle_agent(visit)
    task = export_all.using(visit.connection).enqueue(agent.getId())
    return f"All there is is sent to agent {agent.getId()} by task {task.getId()}"


def _letters_again(visit: Visit) -> str:
    names = _chosen(visit)
    letters = _push_agent(visit).delivery_state.dead_letters
    try:
        for name in names:
            letters.send_again(name)
    except (LiveSyncException, KeyError) as error:
        raise FieldFault("name", str(error)) from None
    return f"{_records(len(names))} sent again with the next run"


def _letters_dropped(visit: Visit) -> str:
    names = _chosen(visit)
    letters = _push_agent(visit).delivery_state.dead_letters
    dropped = sum(letters.drop(name) for name in names)
    return f"{_records(dropped)} dropped"


def _records(number: int) -> str:
    return "1 record is" if number == 1 else f"{number} records are"


def _chosen(visit: Visit) -> list[str]:
    names = visit.form.getlist("name")
    if "all" in visit.form:
        letters = _push_agent(visit).delivery_state.dead_letters
        names = [letter.name for letter in letters.dead()]
    if not names:
        raise FieldFault("name", "Nothing is selected")
    return names


PAGE = ConsolePage("/agents", "agents.html", _facts, label="Agents")
ONE = ConsolePage("/agents/<name:aid>", "agent.html", _one)


def _action(name: str, perform: Callable[[Visit], str], role: Role = Role.OPERATOR) -> Action:
    return Action(f"/agents/<name:aid>/{name}", perform, ONE, role)


ACTIONS = (
    _action("pause", _pause),
    _action("resume", _resume),
    _action("activate", _activate),
    _action("deactivate", _deactivate),
    _action("retry", _retry),
    _action("rewind", _rewind),
    _action("verify", _verify),
    _action("export", _export, Role.ADMIN),
    _action("letters/again", _letters_again),
    _action("letters/drop", _letters_dropped),
)
