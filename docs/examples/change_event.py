"""Give the sample event another title; what is recorded is committed with the change itself."""

import sys

import transaction

from export.model.catalogue import catalogue
from export.model.listeners import subscribe_installed
from scheduler.store import connect

title = sys.argv[1] if len(sys.argv) > 1 else "Days of the Object Database, again"
subscribe_installed()
with connect() as connection:
    event = catalogue(connection).event("1")
    if event is None:
        sys.exit("there is no event 1: start the demonstration first, with 'make run'")
    event.setTitle(title)
    transaction.commit()
    print(f"event 1 is now called {event.getTitle()!r}")
