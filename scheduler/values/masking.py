"""Masking: passwords and keys in addresses and messages are replaced."""

from __future__ import annotations

import re

MASK = "***"

_USERINFO = re.compile(r"(://[^\s:/@'\"]*:)[^\s'\"]*(@)")
_NAMED = re.compile(
    r"(?i)\b((?:ssl)?password|passwd|secret|access_token|apikey|ak|signature)=(?![@*.])"
    r"(?:'[^']*'|[^\s&'\",;)]+)"
)


def hidden(text: str) -> str:
    """Return *text* with its passwords, secrets and API keys masked, wherever they stand.

    Passwords are those of addresses (`scheme://user:password@host`), and values that are named
    so (`password=...`).
    """
    if "=" not in text and "@" not in text:
        return text
    return _NAMED.sub(rf"\1={MASK}", _USERINFO.sub(rf"\1{MASK}\2", text))
