"""Tasks that send mail, through an outbox: what a run that was undone has sent, nobody gets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any, ClassVar

from scheduler.clock import nowutc
from scheduler.errors import MailNotSent, MailRefused
from scheduler.runtime.context import current_run
from scheduler.runtime.mail_message import address_of, bare, compose
from scheduler.runtime.side_effects import is_held
from scheduler.runtime.smtp import MailServer
from scheduler.store import current
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.retry import NEVER, Retry

# Seconds after which mail that is refused for now is offered again, with the waits of retries then.
AGAIN_SECONDS = 60.0


class MailDelivery(OneShotTask):
    """A message in the outbox: enqueued by the commit of the run that wrote it, then sent.

    The message is sent at least once, each time with the same Message-ID, by which a mail server
    or reader recognizes it. Where a server refuses some addresses for now, the message is sent
    again to these alone.
    """

    alone = True
    maxTries = 12
    retries: ClassVar = {
        MailNotSent: Retry(first=10, longest=3600),
        MailRefused: NEVER,
    }

    def __init__(self, message: bytes, sender: str, recipients: Iterable[str]) -> None:
        super().__init__(nowutc())
        self.message = message
        self.sender = sender
        self.recipients = tuple(recipients)

    def run(self) -> list[str]:
        """Send the message; return what was said of the addresses refused for good."""
        what = f"{_subject(self.message)!r} to {', '.join(self.recipients)}"
        if is_held("mail", what):
            return []
        refused = MailServer.configured().send(self.message, self.sender, list(self.recipients))
        run = current_run()
        if run is not None:
            run.note_sent(f"mail {what}")
        for each in refused:
            self.getLogger().warning("refused %s", each)
        later = [each.address for each in refused if each.is_temporary]
        if len(later) == len(self.recipients):
            raise MailNotSent("; ".join(map(str, refused)))
        if len(refused) == len(self.recipients) and not later:
            raise MailRefused("; ".join(map(str, refused)))
        if later:
            self._send_again(later)
        return [str(each) for each in refused if not each.is_temporary]

    def _send_again(self, recipients: list[str]) -> None:
        rest = MailDelivery(self.message, self.sender, recipients)
        rest.setStartOn(_in(AGAIN_SECONDS))
        rest._enter(current())


class SendMailTask(OneShotTask):
    """Sends a mail at its date (reference 3.4).

    Its run only puts the message into the outbox, as a task of its own in the same commit.
    Addresses are texts, `user@example.org` or `Name <user@example.org>`; users are objects with
    a `getEmail()`. ValueError for an address that is none, and for line breaks in a subject.
    """

    _sent = 0  # how many messages were put into the outbox

    def __init__(self, startDateTime: datetime) -> None:
        super().__init__(startDateTime)
        self.fromAddr = ""
        self.subject = ""
        self.text = ""
        self._to: tuple[str, ...] = ()
        self._cc: tuple[str, ...] = ()
        self._users: tuple[Any, ...] = ()

    def run(self, check: bool = True) -> None:
        """Put the mail into the outbox; with *check*, only if `_prepare` agrees."""
        if not self._prepare(check) and check:
            return
        to = list(dict.fromkeys(filter(None, self._recipients())))
        if not to and not self._cc:
            self.getLogger().warning("there is nobody to send it to")
            return
        sender = self.fromAddr or MailServer.configured().sender
        if not sender:
            raise MailRefused("it has no sender: setFromAddr, or from= in the mail server's URL")
        self._sent += 1
        number = f"{self.getId() or 0}.{self._sent}.{int(self._created * 1000)}"
        cc, created = list(self._cc), nowutc().timestamp()
        message = compose(number, sender, to, cc, self.subject, self.text, created)
        recipients = dict.fromkeys(map(bare, (*to, *cc)))
        delivery = MailDelivery(message, bare(sender), recipients)
        delivery._enter(current())  # noqa: SLF001 (a task's way into the spool)

    def _recipients(self) -> list[str]:
        """Return the addresses that it is sent to, copies apart; some may be empty."""
        return [*self._to, *(user.getEmail() for user in self._users)]

    def _prepare(self, check: bool) -> bool:
        """Make ready what is to be sent; say whether it is to be."""
        return True

    def setFromAddr(self, addr: str) -> None:
        """Set the sender."""
        self.fromAddr = address_of(addr)

    def getFromAddr(self) -> str:
        """Return the sender; empty for that of the mail server's settings."""
        return self.fromAddr

    def addToAddr(self, addr: str) -> None:
        """Add a recipient; an empty address is passed over, one twice is kept once."""
        self._to = _with(self._to, addr)

    def removeToAddr(self, addr: str) -> None:
        """Take a recipient off; one that is not there does no harm."""
        self._to = tuple(each for each in self._to if each != addr)

    def setToAddrList(self, addrList: Iterable[str]) -> None:
        """Set the recipients."""
        self._to = _with((), *addrList)

    def getToAddrList(self) -> list[str]:
        """Return the recipients."""
        return list(self._to)

    def addCcAddr(self, addr: str) -> None:
        """Add somebody who gets a copy."""
        self._cc = _with(self._cc, addr)

    def removeCcAddr(self, addr: str) -> None:
        """Remove *addr* from those who get a copy."""
        self._cc = tuple(each for each in self._cc if each != addr)

    def setCcAddrList(self, addrList: Iterable[str]) -> None:
        """Set those who get a copy."""
        self._cc = _with((), *addrList)

    def getCcAddrList(self) -> list[str]:
        """Return those who get a copy."""
        return list(self._cc)

    def addToUser(self, user: Any) -> None:
        """Add a user as a recipient; the address is asked for when the mail is sent."""
        if user not in self._users:
            self._users = (*self._users, user)

    def removeToUser(self, user: Any) -> None:
        """Take a user off the recipients."""
        self._users = tuple(each for each in self._users if each != user)

    def getToUserList(self) -> list[Any]:
        """Return the users among the recipients."""
        return list(self._users)

    def setSubject(self, subject: str) -> None:
        """Set the subject, one line."""
        if "\r" in subject or "\n" in subject:
            raise ValueError(f"the subject {subject!r} has a line break: it must be one line")
        self.subject = subject

    def getSubject(self) -> str:
        """Return the subject."""
        return self.subject

    def setText(self, text: str) -> None:
        """Set the text."""
        self.text = text

    def getText(self) -> str:
        """Return the text."""
        return self.text


def _subject(message: bytes) -> str:
    """Return the subject that readers see."""
    raw = message_from_bytes(message)["Subject"] or ""
    return str(make_header(decode_header(raw)))


def _with(addresses: tuple[str, ...], *added: str) -> tuple[str, ...]:
    checked = (address_of(each.strip()) for each in added if each.strip())
    return tuple(dict.fromkeys((*addresses, *checked)))


def _in(seconds: float) -> datetime:
    return nowutc() + timedelta(seconds=seconds)
