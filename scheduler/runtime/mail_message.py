"""A mail message: made of texts, of which none is decoded into a header or a body.

The classes of `email.message` read what they are given, encoded words in it included, and some
versions of Python write what those stand for into the message. Here each header is encoded once,
as the text that it is, and the finished bytes are sent as they are.
"""

from __future__ import annotations

import re
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, parseaddr

LINE_LENGTH = 76
LONGEST_WORD = 200
BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
PLAIN = re.compile(r"[A-Za-z0-9 _.,:;!?()\[\]{}<>@#$%&*+/|~^'\"\\=-]*", re.ASCII)
ATOMS = re.compile(r"[A-Za-z0-9 !#$%&'*+/^_`{|}~-]*", re.ASCII)
BODY = policy.SMTP.clone(cte_type="7bit")


def compose(
    number: str, sender: str, to: list[str], cc: list[str], subject: str, text: str, created: float
) -> bytes:
    """Return a message whose Message-ID is made of *number*, so that it is the same each time.

    *created* is its date, in seconds since 1970. Raises ValueError for an address that is none.
    """
    domain = (getaddresses([sender])[0][1].rpartition("@")[2] or "localhost").strip()
    headers = [
        ("Message-ID", f"<{number}@{BREAKS.sub('', domain)}>"),
        ("Date", formatdate(created)),
        ("From", _address(sender)),
        ("To", ",\r\n ".join(map(_address, to)) or "undisclosed-recipients:;"),
        *([("Cc", ",\r\n ".join(map(_address, cc)))] if cc else []),
        ("Subject", _encoded(subject, len("Subject: "))),
    ]
    body = EmailMessage(BODY)
    body.set_content(text.encode("utf-8", "replace").decode())
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + body.as_bytes()


def address_of(text: str) -> str:
    """Return *text*, an address with or without a name; ValueError for one that is none."""
    addresses = [address for _, address in getaddresses([text])]
    if len(addresses) != 1 or "@" not in addresses[0] or BREAKS.search(text):
        raise ValueError(f"{text!r} is no mail address: give user@example.org or Name <address>")
    return text


def bare(text: str) -> str:
    """Return the address in *text* without its name."""
    return getaddresses([text])[0][1]


def _address(text: str) -> str:
    name, address = parseaddr(address_of(text))
    if not name:
        return address
    if "=?" in name or len(name) > LONGEST_WORD:
        return f"{_encoded(name, 0)} <{address}>"
    if ATOMS.fullmatch(name):
        return f"{name} <{address}>"
    if PLAIN.fullmatch(name):
        escaped = name.replace("\\", r"\\").replace('"', r"\"")
        return f'"{escaped}" <{address}>'
    return f"{_encoded(name, 0)} <{address}>"


def _encoded(text: str, before: int) -> str:
    """Return *text* for a header, folded; *before* characters stand before it in its line."""
    line = BREAKS.sub(" ", text).strip()
    words = line.split(" ")
    is_plain = PLAIN.fullmatch(line) and "=?" not in line and max(map(len, words)) < LONGEST_WORD
    charset = "us-ascii" if is_plain else "utf-8"
    clean = line.encode("utf-8", "replace").decode()
    header = Header(clean, charset, maxlinelen=LINE_LENGTH, header_name="x" * max(0, before - 2))
    return header.encode(linesep="\r\n")
