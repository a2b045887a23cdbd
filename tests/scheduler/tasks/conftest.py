"""A mail server in this process, and what it has taken."""

from __future__ import annotations

import pytest
from aiosmtpd.controller import Controller

from scheduler.tasks.mail import MailDelivery
from scheduler.tasks.retry import Retry
from tests.ports import free_port
from tests.scheduler.mail_inbox import Inbox


@pytest.fixture
def server(monkeypatch):
    port = free_port()
    controller = Controller(Inbox(), hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    monkeypatch.setenv("SCHEDULER_MAIL", f"smtp://127.0.0.1:{port}?from=events@example.org")
    monkeypatch.setattr(MailDelivery, "retries", {**MailDelivery.retries, **QUICK})
    monkeypatch.setattr("scheduler.tasks.mail.AGAIN_SECONDS", 0.05)
    yield controller
    if controller.server is not None:
        controller.stop()


QUICK = {key: Retry(first=0.05) for key in MailDelivery.retries if key.__name__ == "MailNotSent"}


@pytest.fixture
def inbox(server):
    return server.handler
