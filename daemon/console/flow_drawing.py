"""The drawing of a flow: its tasks in layers from left to right, and the arrows between them."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

from ZODB.Connection import Connection

from scheduler.shelves.flow_graph import FlowEdge, FlowGraph, FlowNode, flow_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import below

DRAWN = 60
"""The nodes that are drawn: those nearest to the task of the page."""

READ = 1000
"""The steps of a flow, above which it is not read for a drawing."""

WIDTH, HEIGHT = 180, 46
APART_X, APART_Y = 48, 14
MARGIN = 8
LETTERS = 24


class DrawnNode(NamedTuple):
    """A task or group at its place; *text* is its name, as much as there is room for."""

    node: FlowNode
    x: int
    y: int
    text: str
    is_here: bool


class DrawnEdge(NamedTuple):
    """An arrow; *when* says how the first task has to end."""

    path: str
    when: str


class FlowDrawing(NamedTuple):
    """The drawing, and how many nodes were left out."""

    width: int
    height: int
    nodes: list[DrawnNode]
    edges: list[DrawnEdge]
    left_out: int
    box: tuple[int, int] = (WIDTH, HEIGHT)
    """The width and height of a node."""


def flow_around(connection: Connection, task: BaseTask) -> tuple[FlowDrawing | None, bool]:
    """Return the drawing of the flow of *task*, and whether it is too large to be read."""
    steps = (each for outer in flow_of(connection, task) for each in below(outer))
    if sum(1 for _ in islice(steps, READ + 1)) > READ:
        return None, True
    return drawing_of(FlowGraph.of(connection, task), task.getId() or 0), False


def drawing_of(flow: FlowGraph, here: int) -> FlowDrawing | None:
    """Return the drawing of *flow* around the task *here*; None where there is no other task."""
    near = _near(flow, here)
    if len(near) < 2:
        return None
    edges = [each for each in flow.edges if each.before in near and each.after in near]
    layers = _layers(near, edges)
    rows: dict[int, int] = {}
    nodes: dict[int, DrawnNode] = {}
    for node in flow.nodes:
        if node.id in near:
            layer = layers[node.id]
            row = rows[layer] = rows.get(layer, -1) + 1
            x = MARGIN + layer * (WIDTH + APART_X)
            y = MARGIN + row * (HEIGHT + APART_Y)
            nodes[node.id] = DrawnNode(node, x, y, _short(node.title), node.id == here)
    arrows = [DrawnEdge(_path(nodes[each.before], nodes[each.after]), each.when) for each in edges]
    width = max(each.x for each in nodes.values()) + WIDTH + MARGIN
    height = max(each.y for each in nodes.values()) + HEIGHT + MARGIN
    return FlowDrawing(width, height, list(nodes.values()), arrows, len(flow.nodes) - len(nodes))


def _near(flow: FlowGraph, here: int) -> set[int]:
    """Return the ids of the nodes nearest to *here*, at most DRAWN."""
    known = {node.id for node in flow.nodes}
    beside: dict[int, list[int]] = {number: [] for number in known}
    for edge in flow.edges:
        if edge.before in known and edge.after in known:
            beside[edge.before].append(edge.after)
            beside[edge.after].append(edge.before)
    near: set[int] = set()
    rest = deque([here] if here in known else [])
    while rest and len(near) < DRAWN:
        number = rest.popleft()
        if number not in near:
            near.add(number)
            rest.extend(beside[number])
    return near


def _layers(near: set[int], edges: list[FlowEdge]) -> dict[int, int]:
    """Return the layer of each node: one behind the last of those before it."""
    layers = dict.fromkeys(near, 0)
    for _ in near:
        behind = {each.after: layers[each.before] + 1 for each in edges}
        for each in edges:
            behind[each.after] = max(behind[each.after], layers[each.before] + 1)
        further = {number: max(layers[number], behind.get(number, 0)) for number in near}
        if further == layers:
            break
        layers = further
    return layers


def _path(before: DrawnNode, after: DrawnNode) -> str:
    start, end = (before.x + WIDTH, before.y + HEIGHT // 2), (after.x, after.y + HEIGHT // 2)
    middle = (start[0] + end[0]) // 2
    return f"M{start[0]} {start[1]} C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}"


def _short(title: str) -> str:
    return title if len(title) <= LETTERS else f"{title[: LETTERS - 1]}…"
