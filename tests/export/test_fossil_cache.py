"""What is kept of fossils and their values, and for how long."""

from __future__ import annotations

import threading

import pytest

from export.fossilize import (
    IFossil,
    InvalidFossilException,
    clearCache,
    fossilize,
)
from tests.export.test_fossil_plan import Animal, INameFossil, shown


class Stored(Animal):
    _p_oid = b"00000001"


def test_values_are_kept_for_stored_objects_when_that_is_asked_for():
    clearCache()
    rex = Stored("rex")
    for _ in range(3):
        assert fossilize(rex, INameFossil, True) == shown("rex", "Stored")
    assert rex.asked == 1
    fossilize(rex, INameFossil)
    assert rex.asked == 2
    clearCache()
    fossilize(rex, INameFossil, useAttrCache=True)
    assert rex.asked == 3


def test_objects_that_are_not_stored_do_not_share_values():
    shown_names = [one["name"] for one in fossilize([Animal("a"), Animal("b")], INameFossil, True)]
    assert shown_names == ["a", "b"]


def test_a_new_thread_begins_with_an_empty_cache():
    clearCache()
    rex = Stored("rex")
    fossilize(rex, INameFossil, True)
    thread = threading.Thread(target=fossilize, args=(rex, INameFossil, True))
    thread.start()
    thread.join()
    assert rex.asked == 2


def twin_that_calls():
    class ITwinFossil(IFossil):
        def getName(): ...

    return ITwinFossil


def twin_that_reads():
    class ITwinFossil(IFossil):
        def name(): ...

    return ITwinFossil


def twin_that_is_invalid():
    class ITwinFossil(IFossil):
        def callName(): ...  # noqa: N802

    return ITwinFossil


def test_two_fossils_of_one_name_and_module_are_two_fossils():
    calls, reads, invalid = twin_that_calls(), twin_that_reads(), twin_that_is_invalid()
    animal = Animal("Ann")
    animal.callName = animal.getName
    assert calls == reads == invalid
    assert [fossilize(animal, twin)["name"] for twin in (calls, reads, calls)] == ["Ann"] * 3
    assert animal.asked == 2
    with pytest.raises(InvalidFossilException, match="callName"):
        fossilize(animal, invalid)
