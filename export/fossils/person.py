"""Fossils of people."""

from __future__ import annotations

from typing import Any

from zope.interface import taggedValue

from export.fossilize import IFossil

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102


def first_name_first(person: Any) -> str:
    """Return the name as it is spoken: title, first name, family name."""
    if person.shown_as is not None and not person.getFirstName():  # all that is known of it
        return str(person.shown_as)
    parts = (person.getTitle(), person.getFirstName(), person.shown_family_name())
    return " ".join(part for part in parts if part)


class IPersonFossil(IFossil):
    """A person, as any object names one."""

    taggedValue("of", "export.model.person:Person")

    def getId(): ...
    def getFullName(): ...
    def getAffiliation(): ...
    def getEmailHash(): ...
    def getEmail(): ...

    getEmail.onlyIf = "canModify"

    def first_name(): ...
    def last_name(): ...
    def db_id(): ...
    def person_id(): ...


class IConferenceChairFossil(IPersonFossil):
    """A chair, or an event's creator."""

    taggedValue("fossil", "conferenceChairMetadata")


class IContributionParticipationFossil(IPersonFossil):
    """A speaker or an author."""

    taggedValue("fossil", "contributionParticipationMetadata")


class ISlotChairFossil(IPersonFossil):
    """A convener of a session."""

    taggedValue("fossil", "conferenceParticipation")

    def getTitle(): ...
    def getFirstName(): ...
    def getFamilyName(): ...
    def getName(): ...

    getName.produce = first_name_first


class IPresenterFossil(IPersonFossil):
    """A speaker in a timetable."""

    taggedValue("fossil", "contributionParticipationTTDisplay")

    def getFirstName(): ...
    def getFamilyName(): ...
    def getName(): ...

    getName.produce = first_name_first


class IConvenerFossil(IFossil):
    """A convener in a timetable."""

    taggedValue("of", "export.model.person:Person")
    taggedValue("fossil", "conferenceParticipationMinimal")

    def getFirstName(): ...
    def getFamilyName(): ...
    def getName(): ...

    getName.produce = first_name_first
