"""The pages of the console and the actions on them; the navigation has them in this order."""

from daemon.console.page import Action, ConsolePage
from daemon.console.pages import audit, keys, overview

PAGES: tuple[ConsolePage, ...] = (overview.PAGE, audit.PAGE, keys.PAGE)
ACTIONS: tuple[Action, ...] = (*keys.ACTIONS,)
