"""The mail server: where mail goes out, and what it says about each address."""

from __future__ import annotations

import os
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from scheduler.errors import MailNotSent, MailRefused, SchedulerConfigurationException

VARIABLE = "SCHEDULER_MAIL"
EXAMPLE = "smtp+starttls://user@mail.example.org:587?from=events@example.org&password_file=FILE"
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
OPTIONS = ("from", "password_file", "timeout")
TIMEOUT = 30.0


class Refused(NamedTuple):
    """An address that the server did not take, and what it said."""

    address: str
    code: int
    reason: str

    @property
    def is_temporary(self) -> bool:
        """Whether it may take it later."""
        return 400 <= self.code < 500

    def __str__(self) -> str:
        return f"{self.address}: {self.code} {self.reason}"


@dataclass(frozen=True)
class MailServer:
    """An SMTP server, named by a URL: `smtp://`, `smtp+starttls://` or `smtps://`.

    `user@` and the file `password_file` (else the URL's own password) log in; `from` is
    the sender of mail that names none; `timeout` is seconds.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    sender: str = ""
    timeout: float = TIMEOUT

    @classmethod
    def of(cls, url: str) -> MailServer:
        """Return the server that *url* names; raises SchedulerConfigurationException."""
        try:
            parts = urlsplit(url)
            port = parts.port
            timeout = float(_option(parts.query, "timeout") or TIMEOUT)
        except ValueError as error:
            raise _unusable(f"it cannot be read ({error})") from None
        if parts.scheme not in PORTS:
            raise _unusable(f"it must begin with {', '.join(f'{name}://' for name in PORTS)}")
        if not parts.hostname:
            raise _unusable("it names no host")
        unknown = set(parse_qs(parts.query)) - set(OPTIONS)
        if unknown:
            raise _unusable(f"it has the unknown option {min(unknown)}; known are {OPTIONS}")
        return cls(
            parts.scheme,
            parts.hostname,
            port or PORTS[parts.scheme],
            unquote(parts.username or ""),
            _password(_option(parts.query, "password_file"), parts.password),
            _option(parts.query, "from"),
            timeout,
        )

    @classmethod
    def configured(cls) -> MailServer:
        """Return the server that `$SCHEDULER_MAIL` names; SchedulerConfigurationException."""
        url = os.environ.get(VARIABLE, "")
        if not url:
            raise SchedulerConfigurationException(
                f"no mail server is set: set ${VARIABLE} for the workers, to {EXAMPLE}"
            )
        return cls.of(url)

    def send(self, message: EmailMessage, sender: str, recipients: list[str]) -> list[Refused]:
        """Send *message*; return the addresses that were refused, if others were not.

        Raises MailRefused where nobody is left to take it, and MailNotSent where it may be
        tried again.
        """
        try:
            with self._connect() as smtp:
                refused = smtp.send_message(message, sender, recipients)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused(f"{self}: {error}") from error
        except smtplib.SMTPResponseException as error:
            kind = MailNotSent if 400 <= error.smtp_code < 500 else MailRefused
            raise kind(f"{self}: {error.smtp_code} {_text(error.smtp_error)}") from error
        except (OSError, smtplib.SMTPException) as error:
            raise MailNotSent(f"{self}: {error}") from error
        return [Refused(who, code, _text(said)) for who, (code, said) in refused.items()]

    def _connect(self) -> smtplib.SMTP:
        kind = smtplib.SMTP_SSL if self.scheme == "smtps" else smtplib.SMTP
        smtp = kind(self.host, self.port, timeout=self.timeout)
        try:
            if self.scheme == "smtp+starttls":
                smtp.starttls()
            if self.user:
                smtp.login(self.user, self.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def __str__(self) -> str:
        return f"the mail server {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<MailServer {self.host}:{self.port}>"  # without the password


def compose(
    number: str, sender: str, to: list[str], cc: list[str], subject: str, text: str
) -> EmailMessage:
    """Return a message whose Message-ID is made of *number*, so that it is the same each time."""
    message = EmailMessage()
    domain = (getaddresses([sender])[0][1].rpartition("@")[2] or "localhost").strip()
    message["Message-ID"] = f"<{number}@{domain}>"
    message["From"] = sender
    message["To"] = ", ".join(to) or "undisclosed-recipients:;"
    if cc:
        message["Cc"] = ", ".join(cc)
    message["Subject"] = subject
    message.set_content(text)
    return message


def address_of(text: str) -> str:
    """Return *text*, an address with or without a name; ValueError for one that is none."""
    addresses = [address for _, address in getaddresses([text])]
    if len(addresses) != 1 or "@" not in addresses[0] or any(sign in text for sign in "\r\n\0"):
        raise ValueError(f"{text!r} is no mail address: give user@example.org or Name <address>")
    return text


def bare(text: str) -> str:
    """Return the address in *text* without its name."""
    return getaddresses([text])[0][1]


def _option(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[-1]


def _password(file: str, password: str | None) -> str:
    if not file:
        return unquote(password or "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise _unusable(f"its password_file cannot be read ({error})") from None


def _unusable(why: str) -> SchedulerConfigurationException:
    # The URL itself is not shown: it may hold a password.
    return SchedulerConfigurationException(
        f"the mail server's URL is of no use: {why}; give {EXAMPLE}"
    )


def _text(said: Any) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
