"""Masking: passwords and keys in addresses and messages are replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

MASK = "***"

_USERINFO = re.compile(r"(://[^\s:/@'\"]*:)[^\s'\"]*(@)")
# Of a text that is one address and nothing else, the password may hold any character.
_WHOLE_USERINFO = re.compile(r"(?s)(?<=://)([^:/@]*:)(.*)(@)")
_NAMED = re.compile(
    r"(?i)\b((?:ssl)?password|passwd|secret|access_token|apikey|ak|signature)=(?![@*.])"
    r"('[^']*'|[^\s&'\",;)]+)"
)


def hidden(text: str) -> str:
    """Return *text* with its passwords, secrets and API keys masked, wherever they stand.

    Passwords are those of addresses (`scheme://user:password@host`), and values that are named
    so (`password=...`).
    """
    if "=" not in text and "@" not in text:
        return text
    return _NAMED.sub(rf"\1={MASK}", _USERINFO.sub(rf"\1{MASK}\2", text))


def shown_address(uri: str) -> str:
    """Return the address *uri* with its passwords masked, whatever characters they hold."""
    return hidden(_WHOLE_USERINFO.sub(rf"\1{MASK}\3", uri))


def without_secrets(text: str, uri: str) -> str:
    """Return *text*, a library's message about the address *uri*, with no part of its passwords.

    A library that cannot read an address may quote any piece of it.
    """
    words = {word for secret in _secrets_of(uri) for word in re.split(r"\W+", secret) if word}
    if not words:
        return hidden(text)
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return hidden(re.sub(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", MASK, text))


def _secrets_of(uri: str) -> Iterator[str]:
    for pattern in (_WHOLE_USERINFO, _NAMED):
        for found in pattern.finditer(uri):
            yield found[2]
            yield unquote(found[2])
