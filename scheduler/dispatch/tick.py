"""The tick: the moves of one transaction of the leader, and what they share."""

from __future__ import annotations

from scheduler.dispatch.claiming import Claiming
from scheduler.dispatch.flows import Flows
from scheduler.dispatch.instructions import Instructions
from scheduler.dispatch.release import Release
from scheduler.dispatch.settlement import Settlement
from scheduler.dispatch.steps import Steps
from scheduler.dispatch.tick_counts import TickCounts
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import Instruction
from scheduler.shelves.module import SchedulerModule


class Tick:
    """Moves tasks between the shelves of *module*, in the open transaction.

    A step that fails is undone and logged; a task that cannot be read or queued is put in
    quarantine. Only conflicts get out, errors of the database, and StepFailed (see `Steps`).
    """

    def __init__(
        self, module: SchedulerModule, *, is_careful: bool = True, is_strict: bool = False
    ) -> None:
        self._module = module
        self._steps = Steps(module._p_jar, is_careful=is_careful, is_strict=is_strict)
        self.flows = Flows(module, self._steps, self._perform)
        release = Release(module, self._steps, self.flows)
        self.claiming = Claiming(module, self._steps)
        self.settlement = Settlement(module, self._steps, self.claiming, release, self._perform)
        self.instructions = Instructions(
            module, self._steps, self.claiming, release, self.settlement.catch_up
        )

    @property
    def has_more(self) -> bool:
        """Whether something may have been put into the spool here, for the next tick."""
        return self._steps.has_more

    @property
    def stopped(self) -> list[Claim]:
        """The claims taken from workers that may still be at work on them."""
        return self.instructions.stopped

    def counts(self, *, has_written: bool) -> TickCounts:
        """Return what this tick has brought, once it is committed."""
        return TickCounts(
            self.instructions.enqueued,
            self.settlement.measures,
            self.settlement.conflicts,
            has_written,
        )

    def _perform(self, instruction: Instruction) -> None:
        self.instructions.perform(instruction)
