"""Signed addresses: making them, and what exactly is signed (reference 5.1.2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlencode

from scheduler.clock import nowutc

Pairs = list[tuple[str, str]]

CASED = {"O", "T"}
"""Parameters whose names mean something else in lower case."""


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
    message = text.encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), message, hashlib.sha1).hexdigest()


def canonical(path: str, query: str) -> str:
    """Return the text that is signed: names in lower case, in order, without the signature."""
    return _text(path, urlencode(_lowered(_signed(query))))


def documented(path: str, query: str) -> str:
    """Return the text that the documented clients sign: like `canonical`, names as sent."""
    return _text(path, urlencode(_as_sent(_signed(query))))


def signed_query(path: str, sent_path: str, query: str, secret: str, signature: str) -> str | None:
    """Return the query that *signature* was made for, None where it fits none.

    *path* is the decoded path, *sent_path* the one of the address. Accepted is the text as sent
    and, in the documented order, the form encodings of Python, PHP and JavaScript. A text is
    accepted only if reading it gives *path* back: the result alone says what was signed.
    """
    given = signature.encode("utf-8", "surrogatepass")
    for text in dict.fromkeys(_texts(path, sent_path, query)):
        if hmac.compare_digest(sign(secret, text).encode(), given):
            return text.partition("?")[2]
    return None


def _texts(path: str, sent_path: str, query: str) -> Iterator[str]:
    paths = [each for each in dict.fromkeys((path, sent_path)) if _names(each, path)]
    for each in _queries(query):
        yield from (_text(start, each) for start in paths)


def _queries(query: str) -> Iterator[str]:
    pairs = _signed(query)
    variants = [_as_sent(pairs)]
    if not any(name in CASED for name, _ in pairs):
        variants.append(_lowered(pairs))
    for variant in variants:
        yield from (encode(variant) for encode in ENCODINGS)
    parts = [part for part in query.split("&") if part and _name(part) != "signature"]
    for order in (parts, sorted(parts, key=_name)):
        yield "&".join(order)
        yield "&".join(order).replace("%27", "'")  # escaped by browsers, after it was signed


def _names(text: str, path: str) -> bool:
    return unquote(text.partition("?")[0]) == path


def _text(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _signed(query: str) -> Pairs:
    return [pair for pair in parse_qsl(query) if pair[0].lower() != "signature"]


def _lowered(pairs: Pairs) -> Pairs:
    return sorted((name.lower(), value) for name, value in pairs)


def _as_sent(pairs: Pairs) -> Pairs:
    return sorted(pairs, key=lambda pair: pair[0].lower())


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0]).lower()


def _legacy(pairs: Pairs, quote_via: Callable[..., str] = quote_plus, safe: str = "") -> str:
    return urlencode(pairs, safe=safe, quote_via=quote_via).replace("~", "%7E")


ENCODINGS: tuple[Callable[[Pairs], str], ...] = (
    urlencode,
    _legacy,  # PHP's http_build_query
    partial(urlencode, quote_via=quote, safe=""),  # PHP_QUERY_RFC3986
    partial(urlencode, quote_via=quote, safe="!*'()"),  # JavaScript's encodeURIComponent
    partial(_legacy, safe="*"),  # JavaScript's URLSearchParams
)
