"""Extras: the optional parts of this software, and the sentence about one that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scheduler.values.own_version import DISTRIBUTION

EXTRAS = {
    "console": ("jinja2",),
    "dask": ("distributed",),
    "export": ("defusedxml", "icalendar", "lxml", "msgspec", "werkzeug"),
    "otel": ("opentelemetry",),
    "postgres": ("relstorage", "psycopg2"),
    "pyramid": ("pyramid", "pyramid_retry", "pyramid_tm"),
    "reload": ("watchfiles",),
    "sentry": ("sentry_sdk",),
    "zope": ("AccessControl", "Acquisition", "Testing", "Zope2"),
}
"""By the name of an extra, the packages that it brings and that are imported here."""


class ExtraMissingError(ModuleNotFoundError):
    """A package that an extra brings is not installed; the text says which extra that is."""


def missing_extra(error: ImportError) -> str:
    """Return which extra brings the package that *error* misses; empty if none does."""
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return f"{package} is missing: install {DISTRIBUTION}[{extra}]"
    return ""


@contextmanager
def extra_needed() -> Iterator[None]:
    """Raise ExtraMissingError where an import in the block misses an extra."""
    try:
        yield
    except ImportError as error:
        sentence = missing_extra(error)
        if not sentence:
            raise
        raise ExtraMissingError(sentence, name=error.name) from None
