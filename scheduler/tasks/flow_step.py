"""The steps of flows: the place of a task, a chain or a group, and its inputs."""

from __future__ import annotations

from typing import Any


class FlowStep:
    """The place of a step: the one before it, and the chain or group that it is of."""

    _after: Any = None  # the step that it is run after, or its prerequisites
    _group: Any = None  # the chain or group that it is a step of
    _position = 0  # among the steps of that
    # The steps behind it in the first layout: if it has finished, and if not.
    _follower: Any = None
    _rollback: Any = None

    def getResult(self) -> Any:
        """Return the result of the step; None before it has finished."""
        raise NotImplementedError(f"{type(self).__name__} does not override getResult()")

    def getInputs(self) -> list[Any]:
        """Return the results of what this step was run after, in order.

        In a chain that is one result, after a group those of all its steps; the steps of a group
        have the inputs of the group. A step that has not finished has the result None.
        """
        step: FlowStep = self
        while step._after is None and step._group is not None:
            step = step._group
        return [] if step._after is None else list(step._after._inputs_of_next())

    def _inputs_of_next(self) -> list[Any]:
        return [self.getResult()]
