"""A bank whose transfers are tasks: what each has done can be told from the books afterwards."""

from __future__ import annotations

import time
from datetime import timedelta

import transaction
from BTrees.LLBTree import LLBTree
from persistent import Persistent

from scheduler import Client, nowutc
from scheduler.errors import WorkerLost
from scheduler.store import connect, current
from scheduler.tasks import OneShotTask
from scheduler.tasks.retry import Retry

ACCOUNTS = 20
DEPOSIT = 1_000


class Account(Persistent):
    def __init__(self):
        self.balance = DEPOSIT


class Bank(Persistent):
    """Accounts, and the ledger: how often each transfer was made, by number."""

    def __init__(self):
        self.accounts = tuple(Account() for _ in range(ACCOUNTS))
        self.ledger = LLBTree()


class Transfer(OneShotTask):
    """Moves *amount* from one account to another, and enters itself in the ledger."""

    # Whoever is near when a worker is shot may be taken for the culprit, time and again.
    retries = {WorkerLost: Retry(tries=1000, first=0.05, longest=0.5)}

    def __init__(self, start, number, giver, taker, amount, pause=0.002):
        super().__init__(start)
        self.number, self.giver, self.taker, self.amount = number, giver, taker, amount
        self.pause = pause

    def run(self):
        bank = current().root()["bank"]
        bank.accounts[self.giver].balance -= self.amount
        time.sleep(self.pause)  # so that a kill may hit it half-way
        bank.accounts[self.taker].balance += self.amount
        bank.ledger[self.number] = bank.ledger.get(self.number, 0) + 1


def order_transfers(uri, number, seconds, draw):
    """Enqueue *number* transfers, due within so many *seconds*; return the balances they make."""
    expected = [DEPOSIT] * ACCOUNTS
    with connect(uri) as connection:
        connection.root()["bank"] = Bank()
        for each in range(number):
            giver, taker = draw.sample(range(ACCOUNTS), 2)
            amount = draw.randrange(1, 100)
            due = nowutc() + timedelta(seconds=draw.uniform(0, seconds))
            Client().enqueue(Transfer(due, each, giver, taker, amount))
            expected[giver] -= amount
            expected[taker] += amount
        transaction.commit()
    return expected


def read_books(connection):
    """Return the balances, and how often each transfer was made."""
    bank = connection.root()["bank"]
    return [account.balance for account in bank.accounts], dict(bank.ledger)
