"""The graph of a flow: its tasks and groups, and what follows what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Any, NamedTuple

from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.inbox.quarantine import is_quarantined
from scheduler.shelves.followers import followers_of
from scheduler.states import WORDS
from scheduler.storage.outage import is_transient
from scheduler.tasks.base import BaseTask
from scheduler.tasks.chain import TaskChain
from scheduler.tasks.composite import Composite, Step, below, number_of
from scheduler.tasks.handle import StepHandle
from scheduler.tasks.naming import arguments_of, name_of, title

PENDING = "pending"
"""The state of a step whose turn has not come, and of a group that is at work."""

UNDOES = "undoes"
"""How a compensation follows its step."""


class FlowNode(NamedTuple):
    """A task of a flow, or a group as what its steps run together in."""

    id: int
    name: str
    """The full name of its class, or of the function that it calls; "group" for a group."""

    state: str
    """The word for its state, as in lists, or "pending"."""

    title: str
    """The short name, with the arguments of a call."""


class FlowEdge(NamedTuple):
    """A step of a flow that follows another one, by their ids."""

    before: int
    after: int
    when: str
    """How the first one ends: "finished", "failed" or "ended"; "undoes" for its compensation."""


@dataclass(frozen=True)
class FlowGraph:
    """All that is connected with one step: the nodes in the order of their ids, and the edges."""

    nodes: list[FlowNode] = field(default_factory=list)
    edges: list[FlowEdge] = field(default_factory=list)

    @classmethod
    def of(cls, connection: Connection, step: Step) -> FlowGraph:
        """Return the flow of *step* as *connection* sees it."""
        nodes: dict[int, FlowNode] = {}
        edges: dict[FlowEdge, None] = {}
        for outer in flow_of(connection, step):
            for each in _with_compensations(outer):
                if not isinstance(each, TaskChain):
                    nodes[number_of(each)] = _node(each)
                edges.update(dict.fromkeys(_edges_into(each)))
        return cls([nodes[number] for number in sorted(nodes)], list(edges))


def is_large(connection: Connection, step: Step, most: int) -> bool:
    """Say whether more than *most* steps are connected with *step*, without reading them all."""
    steps = (each for outer in flow_of(connection, step) for each in _with_compensations(outer))
    return next(islice(steps, most, None), None) is not None


def flow_of(connection: Connection, step: Step) -> Iterator[Step]:
    """Yield the outermost steps of all that is connected with *step*."""
    followers = followers_of(connection)
    seen: set[int] = set()
    rest = [_outermost(step)]
    while rest:
        outer = rest.pop()
        if number_of(outer) in seen:
            continue
        seen.add(number_of(outer))
        yield outer
        if not _is_readable(outer):
            continue
        prerequisites = StepHandle(outer).prerequisites
        if prerequisites is not None:
            rest.extend(map(_outermost, prerequisites.steps()))
        for each in below(outer) if followers else ():
            rest.extend(
                _outermost(connection.get(p64(number))) for number in followers.of(number_of(each))
            )


def _outermost(step: Step) -> Step:
    while _is_readable(step):
        group = StepHandle(step).group
        if not isinstance(group, Composite):
            break
        step = group
    return step


def _is_readable(step: Any) -> bool:
    """Say whether *step* can be loaded, and is one."""
    try:
        step._p_activate()
    except Exception as error:
        if is_transient(error):
            raise
        return False
    return isinstance(step, BaseTask | Composite)


def _with_compensations(outer: Step) -> Iterator[Step]:
    rest = [outer]
    while rest:
        for each in below(rest.pop()):
            yield each
            if isinstance(each, Composite):
                rest.extend(undoing for _, undoing in each.compensations())


def _edges_into(step: Step) -> Iterator[FlowEdge]:
    """Yield the edges that lead into *step*, and for a group from its steps."""
    if not _is_readable(step):
        return
    prerequisites = StepHandle(step).prerequisites
    if prerequisites is not None:
        for each in prerequisites.steps():
            yield from _between(each, step, prerequisites.when)
    if isinstance(step, TaskChain):
        steps = step.getSteps()
        for before, after in pairwise(steps):
            yield from _between(before, after, "finished")
    elif isinstance(step, Composite):
        when = "ended" if getattr(step, "onFailure", None) == "continue" else "finished"
        for each in step.getSteps():
            yield FlowEdge(number_of(_last(each)), number_of(step), when)
    if isinstance(step, Composite):
        for each, undoing in step.compensations():
            yield from _between(each, undoing, UNDOES)


def _between(before: Step, after: Step, when: str) -> Iterator[FlowEdge]:
    for first in _first(after):
        yield FlowEdge(number_of(_last(before)), number_of(first), when)


def _first(step: Step) -> list[Step]:
    """Return the nodes that *step* begins with."""
    if isinstance(step, TaskChain):
        return _first(step.getSteps()[0])
    if isinstance(step, Composite):
        return [first for each in step.getSteps() for first in _first(each)] or [step]
    return [step]


def _last(step: Step) -> Step:
    """Return the node that *step* ends with."""
    while isinstance(step, TaskChain):
        step = step.getSteps()[-1]
    return step


def _node(step: Step) -> FlowNode:
    if isinstance(step, Composite):
        state = {None: PENDING, True: "finished", False: "failed"}[step.hasFinished()]
        return FlowNode(number_of(step), "group", state, f"group of {len(step.getSteps())}")
    name = name_of(step)
    return FlowNode(number_of(step), name, _word(step), title(name, arguments_of(step)))


def _word(task: Any) -> str:
    try:
        return _state(task)
    except Exception as error:
        if is_transient(error):
            raise
        return "unreadable"


def _state(task: BaseTask) -> str:
    if is_quarantined(task):
        return "quarantined"
    if task.isBlocked():
        return "blocked"
    return "paused" if task.isPaused() else WORDS.get(task.getStatus(), PENDING)
