"""Secrets at rest: encrypted where this installation has a key for that.

Secrets that need not be read back are kept as digests instead.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from scheduler.errors import SchedulerConfigurationException, SecretUnreadable

KEY_VARIABLE = "SCHEDULER_SECRET_KEY"
FILE_VARIABLE = "SCHEDULER_SECRET_KEY_FILE"
SETTING_VARIABLE = "RELAY_KEY_FILE"
"""The setting of the daemon in the environment, which holds for all commands there."""

Sealed: TypeAlias = "str | bytes"
"""A stored secret: bytes are encrypted, a text is the secret itself."""


def seal(secret: str) -> Sealed:
    """Return *secret* as it is stored: encrypted with the first key, as it is without a key.

    Keys are those of Fernet, one a line in `$SCHEDULER_SECRET_KEY` or in the file that
    `$SCHEDULER_SECRET_KEY_FILE` names. Raises SchedulerConfigurationException.
    """
    keys = _keys()
    return _fernet(keys).encrypt(secret.encode("utf-8", "surrogatepass")) if keys else secret


def unseal(stored: Sealed) -> str:
    """Return the secret that was *stored*. Raises SecretUnreadable without its key."""
    if isinstance(stored, str):
        return stored
    return unseal_bytes(stored).decode("utf-8", "surrogatepass")


def seal_bytes(data: bytes) -> bytes:
    """Return *data* encrypted. Raises SchedulerConfigurationException without a key."""
    keys = _keys()
    if not keys:
        raise SchedulerConfigurationException(
            f"what is to be encrypted needs a key: set ${FILE_VARIABLE} to the file with it, or "
            f"${KEY_VARIABLE} to the key"
        )
    return _fernet(keys).encrypt(data)


def unseal_bytes(stored: bytes) -> bytes:
    """Return the data that was *stored* encrypted. Raises SecretUnreadable without its key."""
    keys = _keys()
    if not keys:
        raise SecretUnreadable(
            f"the secrets of this database are encrypted: set ${FILE_VARIABLE} to the file "
            f"with their key, or ${KEY_VARIABLE} to the key"
        )
    try:
        return _fernet(keys).decrypt(stored)
    except InvalidToken:
        raise SecretUnreadable(
            f"the secrets of this database are encrypted with another key than those that "
            f"${KEY_VARIABLE} or ${FILE_VARIABLE} give: add it there behind the new one"
        ) from None


def resealed(stored: Sealed) -> Sealed:
    """Return *stored* as `seal` stores it now; *stored* itself where that is so already.

    Raises SecretUnreadable without its key.
    """
    if isinstance(stored, bytes):
        return resealed_bytes(stored)
    return seal(stored)


def resealed_bytes(stored: bytes) -> bytes:
    """Return the encrypted data *stored* as the first key encrypts it; itself where it does so.

    Raises SecretUnreadable without its key.
    """
    keys = _keys()
    if not keys:
        return stored
    try:
        _fernet(keys[:1]).decrypt(stored)
    except InvalidToken:
        return seal_bytes(unseal_bytes(stored))
    return stored


def recognitions(data: bytes) -> tuple[str, ...]:
    """Return the digests by which *data* is recognized, the one to keep first.

    With a key it is made with the first one, so that nobody tries out what *data* may have been;
    the others are those of former keys, and of none.
    """
    keyed = (hmac.digest(key.encode(), data, "sha256").hex() for key in _keys())
    return (*keyed, hashlib.sha256(data).hexdigest())


def has_key() -> bool:
    """Say whether this installation has a key. Raises SchedulerConfigurationException."""
    return bool(_keys())


def _keys() -> tuple[str, ...]:
    text = os.environ.get(KEY_VARIABLE, "")
    file = os.environ.get(FILE_VARIABLE) or os.environ.get(SETTING_VARIABLE, "")
    if not text and file:
        try:
            text = Path(file).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise SchedulerConfigurationException(
                f"${FILE_VARIABLE}: the key in {file} cannot be read: {error}"
            ) from None
        if not text.strip():
            raise SchedulerConfigurationException(f"${FILE_VARIABLE}: {file} holds no key")
    return tuple(text.split())


@lru_cache(maxsize=8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        # The key itself is not shown.
        raise SchedulerConfigurationException(
            f"${KEY_VARIABLE} or ${FILE_VARIABLE} holds no key of Fernet, 32 bytes in URL-safe "
            "base64: `openssl rand -base64 32 | tr +/ -_` makes one"
        ) from None
