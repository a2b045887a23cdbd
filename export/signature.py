"""Signed addresses: making them, and what exactly is signed (reference 5.1.2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from scheduler.clock import nowutc


def build_indico_request(
    path: str,
    params: Mapping[str, Any] | Iterable[tuple[str, Any]],
    api_key: str | None = None,
    secret_key: str | None = None,
    only_public: bool = False,
    persistent: bool = False,
) -> str:
    """Return *path* with *params* and what proves who asks.

    With a secret the address is signed: it is valid for some minutes, or, *persistent*, as
    long as the key allows such addresses.
    """
    items = list(params.items() if isinstance(params, Mapping) else params)
    if api_key:
        items.append(("apikey", api_key))
    if only_public:
        items.append(("onlypublic", "yes"))
    if secret_key:
        if not persistent:
            items.append(("timestamp", str(int(nowutc().timestamp()))))
        items.sort(key=lambda item: item[0].lower())
        items.append(("signature", sign(secret_key, f"{path}?{urlencode(items)}")))
    return f"{path}?{urlencode(items)}" if items else path


def sign(secret: str, text: str) -> str:
    """Return the HMAC-SHA1 of *text* in hexadecimal."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha1).hexdigest()


def canonical(path: str, query: str) -> str:
    """Return the text that is signed: names in lower case, in order, without the signature."""
    return _text(path, sorted((name.lower(), value) for name, value in _signed(query)))


def is_signed(path: str, query: str, secret: str, signature: str) -> bool:
    """Return whether *signature* is right for the request.

    Names may be signed in lower case or as sent, and `~` as it is or, as PHP has it, escaped.
    """
    as_sent = sorted(_signed(query), key=lambda pair: pair[0].lower())
    plain = [canonical(path, query), _text(path, as_sent)]
    escaped = [path + text.removeprefix(path).replace("~", "%7E") for text in plain]
    given = signature.encode()
    return any(
        hmac.compare_digest(sign(secret, text).encode(), given) for text in (*plain, *escaped)
    )


def _text(path: str, pairs: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _signed(query: str) -> Iterator[tuple[str, str]]:
    return (pair for pair in parse_qsl(query) if pair[0].lower() != "signature")
