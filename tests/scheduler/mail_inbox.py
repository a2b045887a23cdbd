"""The inbox of a mail server in this process."""

from __future__ import annotations

from email import message_from_bytes, policy


class Inbox:
    """What a mail server has taken; *answers* are given to recipients, one after the other."""

    def __init__(self):
        self.envelopes = []
        self.answers = {}
        self.data_answers = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        answers = self.answers.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.data_answers:
            return self.data_answers.pop(0)
        self.envelopes.append(envelope)
        return "250 OK"

    @property
    def messages(self):
        return [message_from_bytes(each.content, policy=policy.default) for each in self.envelopes]
