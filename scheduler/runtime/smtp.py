"""The SMTP server that mail is sent through, and the addresses that it refuses."""

from __future__ import annotations

import logging
import os
import smtplib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from scheduler.errors import MailNotSent, MailRefused, SchedulerConfigurationException

log = logging.getLogger(__name__)

VARIABLE = "SCHEDULER_MAIL"
EXAMPLE = "smtp+starttls://user@mail.example.org:587?from=events@example.org&password_file=FILE"
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
OPTIONS = ("from", "password_file", "timeout", "ca_file", "verify")
TIMEOUT = 30.0


class RefusedRecipient(NamedTuple):
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
    the sender of mail that names none; `timeout` is seconds. The server's certificate must be
    good for its name, by the system's authorities or those in the file `ca_file`;
    `verify=no` switches that off, and each connection logs it.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    sender: str = ""
    timeout: float = TIMEOUT
    ca_file: str = ""
    verify: bool = True

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
            _existing(_option(parts.query, "ca_file")),
            _truth(_option(parts.query, "verify") or "yes"),
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

    def send(self, message: bytes, sender: str, recipients: list[str]) -> list[RefusedRecipient]:
        """Send *message* as it is; return the addresses that were refused, if others were not.

        Raises MailRefused where nobody is left to take it, and MailNotSent where it may be
        tried again.
        """
        try:
            with self._connect() as smtp:
                options = _international(smtp, [sender, *recipients])
                refused = smtp.sendmail(sender, recipients, message, options)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefused(f"{self}: {error}") from error
        except smtplib.SMTPResponseException as error:
            kind = MailNotSent if 400 <= error.smtp_code < 500 else MailRefused
            raise kind(f"{self}: {error.smtp_code} {_text(error.smtp_error)}") from error
        except ssl.SSLCertVerificationError as error:
            raise MailNotSent(
                f"{self}: its certificate is not good ({error.verify_message}): give the file of "
                "its authority as ca_file="
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise MailNotSent(f"{self}: {error}") from error
        return [RefusedRecipient(who, code, _text(said)) for who, (code, said) in refused.items()]

    def _connect(self) -> smtplib.SMTP:
        smtp: smtplib.SMTP
        if self.scheme == "smtps":
            context = self._context()
            smtp = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            smtp = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.scheme == "smtp+starttls":
                smtp.starttls(context=self._context())
            if self.user:
                smtp.login(self.user, self.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file or None)
        if not self.verify:
            log.warning("certificate of %s is not verified: verify=no is set", self)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def __str__(self) -> str:
        return f"the mail server {self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<MailServer {self.host}:{self.port}>"  # without the password


def _international(smtp: smtplib.SMTP, addresses: list[str]) -> list[str]:
    """Return the options for mail to *addresses*; SMTPNotSupportedError where there are none."""
    if all(address.isascii() for address in addresses):
        return []
    smtp.ehlo_or_helo_if_needed()
    if not smtp.has_extn("smtputf8"):
        raise smtplib.SMTPNotSupportedError("it takes no addresses outside of ASCII")
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _existing(file: str) -> str:
    if file and not Path(file).is_file():
        raise _unusable(f"its ca_file {file} is no file")
    return file


def _truth(text: str) -> bool:
    if text not in ("yes", "no"):
        raise _unusable(f"verify is {text!r}; it must be yes or no")
    return text == "yes"


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
        f"the mail server's URL cannot be used: {why}; give {EXAMPLE}"
    )


def _text(said: Any) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
