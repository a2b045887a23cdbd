"""The part of the client that enqueues tasks and flows, and goes on with those."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.errors import TaskInconsistentStatusException, TaskStillRunningException
from scheduler.inbox import spool
from scheduler.inbox.quarantine import is_quarantined
from scheduler.shelves.flow_graph import FlowGraph
from scheduler.shelves.module import SchedulerModule
from scheduler.states import ENDED, TASK_STATUS_RUNNING
from scheduler.store import connection_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.chain import TaskChain
from scheduler.tasks.composite import Composite, Step
from scheduler.tasks.entering import enter, enter_after, refuse_inner
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.prerequisites import When


class FlowClient:
    """Enqueues tasks, and flows of tasks: chains, groups, and what waits for others."""

    def __init__(self, connection: Connection | Persistent | None = None) -> None:
        self._connection = connection_of(connection)
        # Made now, while there may be nothing in the caller's transaction that it would join.
        SchedulerModule.getDBInstance(self._connection)

    def enqueue(
        self, task: Step, after: Step | Iterable[Step] = (), when: When = "finished"
    ) -> bool:
        """Schedule *task*, or a chain or group, for execution at its date; always True.

        The task has its id at once. A queued task stays as it is; an ended task is run again,
        and what follows it. Raises TaskStillRunningException for a running task.

        With *after*, a step or several, it waits until they have ended, and gets their results
        (`BaseTask.getInputs`). *when* says how: "finished": all of them have finished, and it
        ends ABORTED as soon as one has failed; "failed": one has failed, been cancelled, expired
        or been deleted, and it is forgotten if all finish; "ended": all have ended, however.
        Raises ValueError for a task that is enqueued already, or has its place in a chain or
        group, and for steps that are not enqueued; TypeError for tasks that come back. A step of
        a chain or group is not enqueued by itself, before it has had its turn: ValueError.
        """
        if not isinstance(task, BaseTask | Composite):
            raise TypeError(f"only a task, a chain or a group can be enqueued, not {task!r}")
        if isinstance(task, BaseTask) and task.getStatus() == TASK_STATUS_RUNNING:
            raise TaskStillRunningException(f"{task!r} is running: enqueue it when it has ended")
        refuse_inner(task)
        steps = [after] if isinstance(after, BaseTask | Composite) else list(after)
        if steps:
            enter_after(task, steps, when, self._connection)
        else:
            enter(task, self._connection)
        return True

    def enqueueAll(self, tasks: Iterable[BaseTask]) -> bool:
        """Enqueue all of *tasks*, in the caller's transaction; always True."""
        for task in tasks:
            self.enqueue(task)
        return True

    def enqueueChain(self, *steps: Step | tuple[Step, Step]) -> bool:
        """Enqueue *steps*, each to be run when the one before it has finished; always True.

        `scheduler.tasks.TaskChain` says what a step is, and how a failure undoes earlier ones.
        """
        enter(TaskChain(*steps), self._connection)
        return True

    def enqueueGroup(
        self,
        tasks: Iterable[Step | tuple[Step, Step]],
        then: Step | None = None,
        onFailure: Literal["stop", "cancel", "continue"] = "stop",
    ) -> TaskGroup:
        """Enqueue *tasks*, and *then* to be run after all of them; return their group."""
        group = TaskGroup(tasks, onFailure)
        enter(group if then is None else TaskChain(group, then), self._connection)
        return group

    def restart(self, step: Step) -> bool:
        """Start *step*, which has ended, again, and then all that follows it; always True.

        The steps that wait for it, or stand behind it in a chain, are run again when it has
        finished, also those that have ended before. A chain or group begins from its first steps.
        Raises TaskInconsistentStatusException for a step that has not ended.
        """
        if isinstance(step, Composite):
            has_ended = step.hasFinished() is not None
        else:
            has_ended = step.getStatus() in ENDED and not is_quarantined(step)
        if not has_ended:
            raise TaskInconsistentStatusException(f"{step!r} has not ended")
        return self._module.spool(spool.ADD, step)

    def cancelFlow(self, step: Step) -> bool:
        """Cancel what is at work of the flow that *step* is of; always True.

        Waiting tasks are withdrawn and running ones cancelled: they end ABORTED. Finished steps
        are undone that have a compensation, and what is to be run after failures is run.
        """
        return self._module.spool(spool.CANCEL_FLOW, step)

    def getFlow(self, step: Step) -> FlowGraph:
        """Return the flow that *step* is of: its tasks and groups, and what follows what.

        It is all that is connected with *step*: by chains and groups, and by steps that wait for
        others.
        """
        return FlowGraph.of(self._connection, step)

    @property
    def _module(self) -> SchedulerModule:
        return SchedulerModule.getDBInstance(self._connection)
