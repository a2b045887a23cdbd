"""Steps of flows for tests: each notes that it was run."""

from __future__ import annotations

import transaction

from scheduler import attempt, nowutc, task
from scheduler.store import current
from scheduler.tasks import OneShotTask


class Step(OneShotTask):
    """Notes its name; returns it with the names that its inputs have."""

    maxTries = 1

    def __init__(self, name, start=None):
        super().__init__(start or nowutc())
        self.name = name

    def run(self):
        root = current().root()
        if self.name in root.get("broken", ()):
            raise ValueError(f"{self.name} is broken")
        root["ran"] = (*root.get("ran", ()), self.name)
        return f"{self.name}({','.join(map(str, _flat(self.getInputs())))})"


def _flat(inputs):
    for each in inputs:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


@task
def total(*numbers):
    return sum((*numbers, *attempt.inputs))


def steps(names):
    return [Step(name) for name in names.split()]


def states(*steps):
    return [step.getStatus() for step in steps]


def breaking(*names):
    """Let the steps with these *names* fail from now on, and no others."""
    current().root()["broken"] = names
    transaction.commit()


def run_all(relay):
    """Run all that is due; return the names of the steps that were run, in this order."""
    relay.run_due()
    names = relay.connection.root().get("ran", ())
    relay.connection.root()["ran"] = ()
    transaction.commit()
    return list(names)
