"""The pages of the console and the actions on them; the navigation has them in this order."""

from daemon.console.page import Action, ConsolePage
from daemon.console.pages import audit, bulk, keys, overview, task, tasks

PAGES: tuple[ConsolePage, ...] = (
    overview.PAGE,
    tasks.PAGE,
    bulk.PAGE,
    task.PAGE,
    task.DRY_RUN,
    task.UNDO_PAGE,
    audit.PAGE,
    keys.PAGE,
)
ACTIONS: tuple[Action, ...] = (bulk.ORDER, *task.ACTIONS, *keys.ACTIONS)
