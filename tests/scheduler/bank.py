"""Accounts, and tasks that work on them in ways that one may want to look into."""

from __future__ import annotations

from BTrees.OOBTree import OOBTree
from persistent import Persistent

from scheduler import Client, nowutc
from scheduler.runtime.http import TaskClient
from scheduler.store import current, transact
from scheduler.tasks import CallTask, OneShotTask, PeriodicTask, SendMailTask


class Account(Persistent):
    def __init__(self, balance=100):
        self.balance = balance


class Bank(Persistent):
    def __init__(self, names=("ann", "bob")):
        self.accounts = OOBTree({name: Account() for name in names})


class Deposit(OneShotTask):
    def __init__(self, account, amount):
        super().__init__(nowutc())
        self.account = account
        self.amount = amount

    def run(self):
        self.account.balance += self.amount


class Opening(OneShotTask):
    """Opens an account."""

    def __init__(self, bank, name):
        super().__init__(nowutc())
        self.bank = bank
        self.name = name

    def run(self):
        self.bank.accounts[self.name] = Account(0)


class Chain(Deposit):
    """Enqueues another deposit."""

    def run(self):
        super().run()
        Client(self).enqueue(Deposit(self.account, self.amount))


class Lottery(Deposit):
    """Pays what chance says, and fails for the unlucky."""

    alone = True
    maxTries = 1

    def run(self):
        won = self.getRandom().randrange(10**9)
        if self.amount < 0:
            raise ValueError(f"lost {won} in hour {nowutc():%H}")
        self.account.balance += won


class Interest(PeriodicTask):
    """Adds ten each time."""

    account: Account

    def run(self):
        self.account.balance += 10


class OwnCommit(Deposit):
    """Commits on a connection of its own."""

    def run(self):
        oid = self.account._p_oid
        transact(current().db(), lambda other: setattr(other.get(oid), "balance", 7))


class Notice(OneShotTask):
    """Sends mail and posts to a server."""

    def __init__(self, url):
        super().__init__(nowutc())
        self.url = url

    def run(self):
        mail = SendMailTask(nowutc())
        mail.setFromAddr("bank@example.org")
        mail.addToAddr("ann@example.org")
        mail.setSubject("Your balance")
        mail.run()
        with TaskClient() as client:
            return client.post(self.url, json={"balance": 100}).status_code


def later(account):
    """Return a task that calls a function with *account*."""
    return CallTask(nowutc(), spend, (account,))


def spend(account):
    account.balance -= 1
