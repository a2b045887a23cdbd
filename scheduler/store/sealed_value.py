"""Sealed values: data of any kind, encrypted where it stands in a stored object."""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any

from persistent import Persistent
from persistent.wref import WeakRef

from scheduler.store.encryption import resealed_bytes, seal_bytes, unseal_bytes


class SealedValue:
    """A value that is stored encrypted: `open()` returns it, where the key is.

    Persistent objects in it are kept as references, which are not secret.
    """

    def __init__(self, value: Any) -> None:
        buffer = BytesIO()
        pickler = _Pickler(buffer)
        pickler.dump(value)
        self._token = seal_bytes(buffer.getvalue())
        self._objects = tuple(pickler.objects)

    def open(self) -> Any:
        """Return the value. Raises SecretUnreadable without its key."""
        return _Unpickler(BytesIO(unseal_bytes(self._token)), self._objects).load()

    def reseal(self) -> bool:
        """Encrypt the value with the first key; return whether that was not so already.

        Raises SecretUnreadable without its key.
        """
        before = self._token
        self._token = resealed_bytes(before)
        return self._token != before

    def __repr__(self) -> str:
        return "<encrypted>"


def sealed(value: Any) -> SealedValue:
    """Return *value* as it is stored encrypted, for an attribute of a stored object.

    Raises SchedulerConfigurationException where this installation has no key.
    """
    return SealedValue(value)


def opened(value: Any) -> Any:
    """Return the value that was sealed as *value*; what was not, as it is."""
    return value.open() if isinstance(value, SealedValue) else value


def sealed_values_of(obj: Persistent) -> list[SealedValue]:
    """Return the sealed values in the record of *obj*."""
    finder = _Finder(BytesIO(), 5)
    finder.dump(obj.__getstate__())
    return finder.found


class _Finder(pickle.Pickler):
    """Walks through a state without the objects that have records of their own."""

    def __init__(self, file: BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.found: list[SealedValue] = []

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, SealedValue):
            self.found.append(obj)
        return 0 if isinstance(obj, SealedValue | Persistent | WeakRef) else None


class _Pickler(pickle.Pickler):
    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, 5)
        self.objects: list[Persistent] = []

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Persistent):
            return None
        self.objects.append(obj)
        return len(self.objects) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO, objects: tuple[Persistent, ...]) -> None:
        super().__init__(file)
        self._objects = objects

    def persistent_load(self, pid: Any) -> Any:
        return self._objects[pid]
