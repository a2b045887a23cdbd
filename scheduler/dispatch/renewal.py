"""The renewal of code: modules of tasks that have changed are imported anew by the scheduler."""

from __future__ import annotations

import logging
import sys
from types import ModuleType

from ZODB.Connection import resetCaches

from scheduler.runtime.application import Application
from scheduler.store.import_fault import has_changed, import_anew
from scheduler.tasks.base import BaseTask
from scheduler.tasks.function import TaskFunction

log = logging.getLogger(__name__)

OWN = ("scheduler", "export", "livesync", "daemon", "__main__")


def renew_code(application: Application) -> list[ModuleType]:
    """Import the changed modules of tasks anew; return those that *application* names.

    Connections that are opened from now on have no objects of the old classes. Raises what the
    code of a module raises, SchedulerConfigurationException for one that *application* names.
    """
    for module in list(sys.modules.values()):
        if _has_tasks(module) and has_changed(module):
            import_anew(module)
            log.info("module %s is imported anew", module.__name__)
    modules = application.load()
    resetCaches()
    return modules


def _has_tasks(module: object) -> bool:
    if not isinstance(module, ModuleType) or module.__name__.partition(".")[0] in OWN:
        return False
    return any(_is_task(value, module.__name__) for value in list(vars(module).values()))


def _is_task(value: object, name: str) -> bool:
    if isinstance(value, TaskFunction):
        return value.__module__ == name
    return isinstance(value, type) and issubclass(value, BaseTask) and value.__module__ == name
