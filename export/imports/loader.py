"""Loading: items go into the catalogue, some to a transaction; what is bad is told and left out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from ZODB import DB
from ZODB.Connection import Connection

from export.errors import CatalogueException, ImportRefused
from export.imports.draft import BAD, DraftItem, Noted
from export.model.catalogue import ROOT, catalogue
from scheduler.store import transact

log = logging.getLogger(__name__)

BATCH = 20


@dataclass
class Loaded:
    """The result of loading some items."""

    events: list[str] = field(default_factory=list)
    """A line for each event that went in."""
    problems: list[str] = field(default_factory=list)
    """Where and why something was left out."""

    notes: list[str] = field(default_factory=list)
    """Changes and assumptions by which no content was lost."""

    untold: dict[str, Counter[str]] = field(default_factory=dict)
    """For each source how many parts it does not tell the visibility of, by their kinds."""

    items: int = 0


class NothingLoaded(ImportRefused):
    """Something is bad, and so nothing went in; `problems` are the reasons."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"nothing was imported because of {len(problems)} problems")
        self.problems = problems


def load(
    database: DB,
    items: Iterable[DraftItem],
    *,
    category: str = ROOT,
    replace: bool = False,
    strict: bool = False,
    note: str = "import",
) -> Iterator[Loaded]:
    """Put *items* into the catalogue of *database*; yield what became of each batch.

    Each batch is a transaction. Bad items are left out; with *strict* everything is one
    transaction, and NothingLoaded is raised for anything bad. *category* is for events that
    name none; with *replace* an event of the same id makes room.
    """
    rest = iter(items)
    while batch := list(rest if strict else islice(rest, BATCH)):
        work = partial(_enter, batch, category, replace, strict)
        yield transact(database, work, note=note)


def _enter(
    batch: list[DraftItem], category: str, replace: bool, strict: bool, connection: Connection
) -> Loaded:
    done = Loaded(items=len(batch))
    for item in batch:
        _enter_one(item, category, replace, connection, done)
    if strict and done.problems:
        raise NothingLoaded(done.problems)
    return done


def _enter_one(
    item: DraftItem, category: str, replace: bool, connection: Connection, done: Loaded
) -> None:
    def told(sentences: Iterable[object]) -> list[str]:
        return [f"{item.source}: {sentence}" for sentence in sentences]

    try:
        draft = item.make()
    except Noted as note:
        done.notes += told([note])
        return
    except ImportRefused as problem:
        done.problems += told([problem])
        return
    except BAD as error:
        log.info("%s: %s cannot be read", item.source, item.where, exc_info=True)
        done.problems += told([f"{item.where} cannot be read: {error or type(error).__name__}"])
        return
    done.problems += told(draft.problems)
    draft.categories = draft.categories or [(category, category)]
    before = connection.transaction_manager.savepoint(optimistic=True)
    try:
        event = draft.enter(catalogue(connection), replace=replace)
    except (ImportRefused, CatalogueException, TypeError, ValueError) as problem:
        before.rollback()
        done.problems += told([f"{item.where}: {problem}"])
        return
    done.notes += told(draft.notes)
    if not item.is_public:
        done.untold.setdefault(item.source, Counter()).update(draft.visibility.untold)
    count = len(event.contributions)
    talks = "1 contribution" if count == 1 else f"{count} contributions"
    done.events.append(f"event {event.getId()}: {event.getTitle()}, {talks}")
