"""The validator of an answer (ETag): the same as long as the answer says the same."""

from __future__ import annotations

import hashlib


def validator(content: bytes, ts: int) -> str:
    """Return the digest of *content* without the time *ts* that it was made at."""
    content = content.replace(str(ts).encode(), b"") if ts else content
    return hashlib.blake2b(content, digest_size=16).hexdigest()
