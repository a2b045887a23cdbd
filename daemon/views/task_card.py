"""The card of a task for its page: its facts, and what belongs to them."""

from __future__ import annotations

from ZODB.Connection import Connection

from daemon.views.task_detail import Card, card
from scheduler import Client
from scheduler.storage.outage import is_transient
from scheduler.tasks import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.values.shown import MASKED, is_secret, shortened, shown

TEXT_SHOWN = 4000
ELSEWHERE = ("priority", "expiryDate")
UNTIL = " for signal "
FIELDS = ("attempts", "occurrences")


def page_card(connection: Connection, number: int) -> Card:
    """Return the facts of task *number*; raises DaemonException for an unknown one.

    Each fact has its name, and may be None; attempts come with the newest first.
    """
    known = card(connection, number)
    facts: Card = dict.fromkeys(_NAMES) | known
    for name in FIELDS:
        listed = facts[name]
        facts[name] = listed[::-1] if isinstance(listed, list) else []
    for name in ("result", "schedule", "reason"):
        if facts[name] is not None:
            facts[name] = shortened(str(facts[name]), TEXT_SHOWN)
    facts["progress"] = facts["progress"] if isinstance(facts["progress"], tuple) else None
    facts["origin"] = facts["origin"] if isinstance(facts["origin"], dict) else {}
    facts["state"], _, facts["signal"] = str(facts["state"]).partition(UNTIL)
    return facts | _more(connection, number)


def _more(connection: Connection, number: int) -> Card:
    """Return the queue, the priority and the attributes, as far as they can be read."""
    try:
        task = Client(connection).getTask(number)
        return {
            "queue": str(task.queueName),
            "priority": task.priority,
            "attributes": _attributes(task),
            "headers": task.getHeaders(),
            "tries": TaskHandle(task).tries,
        }
    except Exception as error:
        if is_transient(error):
            raise
        return {"queue": "", "priority": 0, "attributes": {}, "headers": {}, "tries": 0}


def _attributes(task: BaseTask) -> dict[str, str]:
    """Return the attributes that the class of *task* gives it, shortened, without secrets."""
    own = {
        name: value
        for name, value in vars(task).items()
        if not name.startswith("_") and name not in ELSEWHERE
    }
    return {name: shown(MASKED if is_secret(name) else value) for name, value in own.items()}


_NAMES = (
    *("id", "class", "arguments", "state", "since", "reason", "created", "origin", "due"),
    *("started", "ended", "expires", "schedule", "key", "progress", "result", "undone"),
    *FIELDS,
)
