"""Fossils of users (reference 5.3.7)."""

from __future__ import annotations

from zope.interface import taggedValue

from export.fossilize import IFossil

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


class IAvatarFossil(IFossil):
    """A user."""

    taggedValue("of", "export.people.user:Avatar")
    taggedValue("fossil", "avatar")

    def id(): ...
    def email(): ...
    def first_name(): ...

    first_name.name = "firstName"

    def family_name(): ...

    family_name.name = "familyName"

    def title(): ...
    def getName(): ...
    def phone(): ...
    def fax(): ...
    def address(): ...
    def affiliation(): ...
