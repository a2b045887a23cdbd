"""A small tree of persistent objects with the methods by which livesync knows the model."""

from __future__ import annotations

from persistent import Persistent
from persistent.list import PersistentList


class Part(Persistent):
    def __init__(self, part_id, owner=None, title="", protected=False):
        self._id = part_id
        self._owner = owner
        self._title = title
        self._protected = protected
        self._parts = PersistentList()
        if owner is not None:
            owner._parts.append(self)

    def getId(self):
        return self._id

    def getTitle(self):
        return self._title

    def getOwner(self):
        return self._owner

    def isProtected(self):
        return self._protected

    def getAccessProtectionLevel(self):
        return 0

    def detach(self):
        self._owner._parts.remove(self)
        self._owner = None

    def __repr__(self):
        return f"<{type(self).__name__} {self._id}>"


class Category(Part):
    def getSubCategoryList(self):
        return [part for part in self._parts if isinstance(part, Category)]

    def getConferenceList(self):
        return [part for part in self._parts if isinstance(part, Conference)]


class Conference(Part):
    start = None

    def getStartDate(self):
        return self.start

    def getUniqueId(self):
        return self._id

    def getContributionList(self):
        return list(self._parts)


class Epic(Conference):
    """An event of 50 megabytes."""

    def getTitle(self):
        return "x" * 50 * 2**20


class Contribution(Part):
    duration = None
    authors = ()
    speakers = ()

    def getDuration(self):
        return self.duration

    def getPrimaryAuthorList(self):
        return list(self.authors)

    def getSpeakerList(self):
        return list(self.speakers)

    def getUniqueId(self):
        return f"{self._owner.getUniqueId()}.{self._id}"

    def getSubContributionList(self):
        return list(self._parts)


class SubContribution(Part):
    def getUniqueId(self):
        return f"{self._owner.getUniqueId()}.{self._id}"


class Person:
    def __init__(self, first, family):
        self._first, self._family = first, family

    def getFirstName(self):
        return self._first

    def getFamilyName(self):
        return self._family


class Note(Part):
    """Something that is no part of the model."""
