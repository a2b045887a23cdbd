"""The pages of the console and the actions on them; the navigation has them in this order."""

from daemon.console.page import Action, ConsolePage
from daemon.console.pages import (
    agents,
    audit,
    bulk,
    conflicts,
    database,
    documents,
    keys,
    overview,
    queues,
    schedules,
    task,
    tasks,
    workers,
)

PAGES: tuple[ConsolePage, ...] = (
    overview.PAGE,
    tasks.PAGE,
    bulk.PAGE,
    task.PAGE,
    task.DRY_RUN,
    task.UNDO_PAGE,
    schedules.PAGE,
    schedules.ONE,
    queues.PAGE,
    queues.ONE,
    workers.PAGE,
    conflicts.PAGE,
    agents.PAGE,
    agents.ONE,
    database.PAGE,
    keys.PAGE,
    documents.PAGE,
    documents.ONE,
    audit.PAGE,
)
ACTIONS: tuple[Action, ...] = (
    bulk.ORDER,
    *task.ACTIONS,
    *schedules.ACTIONS,
    *queues.ACTIONS,
    *workers.ACTIONS,
    *agents.ACTIONS,
    *database.ACTIONS,
    *keys.ACTIONS,
)
