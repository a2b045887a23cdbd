"""The index of tickets: by their secrets, whose they are."""

from __future__ import annotations

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from scheduler.store import Schema

Place = tuple[str, str]
"""The ids of an event and of a registrant."""


class TicketIndex(Persistent):
    """The registrants of all events in the catalogue by the secrets of their tickets.

    Transactions that register different people merge, unless a tree's bucket splits.
    """

    is_complete = False
    """Whether those have been put in who were registered before there was an index."""

    def __init__(self) -> None:
        self._places = OOBTree()

    def add(self, secret: str, place: Place) -> None:
        """Note that the ticket with this *secret* is of the registrant at *place*."""
        known = self.places(secret)
        if place not in known:
            self._places[secret] = (*known, place)

    def remove(self, secret: str, place: Place) -> None:
        """Forget that."""
        left = tuple(known for known in self.places(secret) if known != place)
        if left:
            self._places[secret] = left
        else:
            self._places.pop(secret, None)

    def places(self, secret: str) -> tuple[Place, ...]:
        """Return whose ticket that is: of one registrant, unless a ticket was imported twice."""
        found: tuple[Place, ...] = self._places.get(secret, ())
        return found


SCHEMA = Schema("tickets", 1, TicketIndex)
