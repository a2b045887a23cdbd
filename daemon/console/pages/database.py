"""The database: its size, growth and history, the last pack and the last backup."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import p64, z64

from daemon.console.page import Action, ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from daemon.maintenance import backup, packing
from daemon.maintenance.jobs import back_up_database, pack_database
from export.people.roles import Role
from scheduler import nowutc
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store import Schema
from scheduler.store.observed import ROOT_KEY
from scheduler.store.overlay import snapshot_of
from scheduler.tasks.attempt import moment
from scheduler.values.masking import shown_address

DAY = 86400.0
LONGEST_DAYS = 36500


def _facts(visit: Visit) -> Facts:
    connection = visit.connection
    database: DB = connection.db()
    packed = _record(packing.SCHEMA, connection)
    backed_up = _record(backup.SCHEMA, connection)
    parts = connection.root().get(ROOT_KEY, {})
    return {
        "name": shown_address(str(database.storage.getName())),
        "size": database.getSize(),
        "objects": database.objectCount(),
        "growth": _growth(packed, database),
        "since": _first(connection),
        "newest": _date(p64(snapshot_of(connection))),
        "packed": None if packed is None or packed.size is None else moment(packed.last),
        "backup": backed_up,
        "backup_date": None if backed_up is None else moment(backed_up.last),
        "layout": [(name, version) for name, (version, _) in sorted(parts.items())],
        "actions": {"pack": PACK, "back_up": BACK_UP},
    }


def _record(schema: Schema[Any], connection: Connection) -> Any:
    return schema.get(connection) if schema.exists(connection) else None


def _growth(packed: Any, database: DB) -> float | None:
    """Return how many bytes a day the database has grown since it was packed."""
    if packed is None or packed.size is None:
        return None
    days = (nowutc().timestamp() - packed.last) / DAY
    grown: int = database.getSize() - packed.size
    return max(0.0, grown / days) if days > 0 else None


def _first(connection: Connection) -> datetime | None:
    with closing(stored_transactions(connection.db().storage)) as found:
        return next((_date(each.tid) for each in found if each.tid != z64), None)


def _date(tid: bytes) -> datetime | None:
    return moment(TimeStamp(tid).timeTime()) if tid != z64 else None


def _pack(visit: Visit) -> str:
    text = visit.form.get("days", "").strip()
    if not text.isdecimal() or int(text) > LONGEST_DAYS:
        raise FieldFault("days", "Give a whole number of days, such as 7")
    task = pack_database.using(visit.connection).enqueue(int(text) * DAY)
    return f"The history before {_days(int(text))} is dropped by task {task.getId()}"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _back_up(visit: Visit) -> str:
    known = _record(backup.SCHEMA, visit.connection)
    if known is None:
        raise FieldFault("back_up", "Make the first one by a command: indico_scheduler db backup")
    task = back_up_database.using(visit.connection).enqueue(known.file, known.folder)
    return f"The database is backed up to {known.folder} by task {task.getId()}"


PAGE = ConsolePage("/database", "database.html", _facts, label="Database")
PACK = Action("/database/pack", _pack, PAGE, Role.ADMIN)
BACK_UP = Action("/database/back-up", _back_up, PAGE, Role.ADMIN)
ACTIONS = (PACK, BACK_UP)
