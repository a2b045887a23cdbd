"""Fossils of materials and folders."""

from __future__ import annotations

from zope.interface import taggedValue

from export.fossilize import IFossil
from export.fossils.address import absolute
from export.fossils.allowed import allowed

# Fossils declare fields, not code: their methods have no self, and their tags are attributes.
# mypy: disable-error-code="misc, no-untyped-def, no-untyped-call, attr-defined, override"
# ruff: noqa: D102, RUF012


class ILinkFossil(IFossil):
    """A resource that is elsewhere."""

    taggedValue("of", "export.model.material:Link")
    taggedValue("fossil", "linkMetadata")

    def name(): ...
    def url(): ...


class ILocalFileFossil(ILinkFossil):
    """A resource that is a file."""

    taggedValue("of", "export.model.material:LocalFile")
    taggedValue("fossil", "localFileMetadata")

    def id(): ...
    def url(): ...

    url.convert = absolute

    def file_name(): ...

    file_name.name = "fileName"


class IMaterialFossil(IFossil):
    """A material with its resources."""

    taggedValue("of", "export.model.material:Material")
    taggedValue("fossil", "materialMetadata")

    def getId(): ...
    def getTitle(): ...
    def resources(): ...

    resources.produce = lambda material: material.getResourceList()
    resources.name = "resources"
    resources.result = {"LocalFile": ILocalFileFossil, "Link": ILinkFossil}

    def getAllowed(): ...

    getAllowed.produce = allowed
    getAllowed.onlyIf = "canModify"


class IAttachmentFossil(IFossil):
    """A file or link of a folder."""

    taggedValue("of", "export.model.material:Attachment")
    taggedValue("fossil", "attachment")

    def id(): ...
    def title(): ...
    def description(): ...
    def type(): ...
    def download_url(): ...
    def modified_dt(): ...
    def filename(): ...
    def content_type(): ...
    def size(): ...
    def checksum(): ...
    def link_url(): ...
    def isProtected(): ...

    isProtected.name = "is_protected"

    def getAllowed(): ...

    getAllowed.produce = allowed
    getAllowed.onlyIf = "canModify"


class IFolderFossil(IFossil):
    """A folder with its attachments."""

    taggedValue("of", "export.model.material:Folder")
    taggedValue("fossil", "folder")

    def id(): ...
    def title(): ...
    def description(): ...
    def default_folder(): ...
    def attachments(): ...

    attachments.result = IAttachmentFossil
    attachments.filterBy = "access"

    def isProtected(): ...

    isProtected.name = "is_protected"

    def getAllowed(): ...

    getAllowed.produce = allowed
    getAllowed.onlyIf = "canModify"
