"""The bank whose accounts tasks change."""

from __future__ import annotations

import pytest
import transaction

from tests.scheduler.bank import Bank


@pytest.fixture
def bank(relay):
    bank = relay.connection.root()["bank"] = Bank()
    transaction.commit()
    return bank


@pytest.fixture
def ann(bank):
    return bank.accounts["ann"]
