"""Functions for tests to enqueue."""

from __future__ import annotations

import asyncio

from persistent import Persistent

from scheduler import task
from scheduler.store import current
from scheduler.tasks.retry import Retry


class Order(Persistent):
    """An object of an application."""

    def __init__(self, number):
        self.number = number
        self.copies = 0
        self.shipped = False

    def ship(self, carrier):
        self.shipped = carrier
        return f"{self.number} by {carrier}"


def send(order: Order, copies: int = 1) -> str:
    order.copies += copies
    return f"order {order.number}, {order.copies} copies"


async def send_slowly(order: Order) -> int:
    await asyncio.sleep(0.01)
    assert current() is order._p_jar
    order.copies += 1
    return order.copies


@task(maxTries=3, retries={ValueError: Retry(first=0.01)})
def fail(order: Order) -> None:
    order.copies += 1
    raise ValueError("never")


@task(unique=True)
def refresh(order: Order) -> None:
    order.copies += 1


@task(hardLimit=0.5)
async def hang() -> None:
    await asyncio.sleep(3600)
