"""Materials with their resources, and folders with their attachments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ZODB.blob import Blob

from export.fossilize import Fossilizable
from export.model.access import Protected
from export.model.entry import own_all


@dataclass(frozen=True)
class Link(Fossilizable):
    """A resource that is elsewhere."""

    name: str
    url: str


@dataclass(frozen=True)
class LocalFile(Fossilizable):
    """A resource that is a file: its content is in `blob`, or (None) elsewhere."""

    id: str
    name: str
    file_name: str
    url: str = ""
    blob: Any = None

    @classmethod
    def store(cls, id: str, file_name: str, content: bytes) -> LocalFile:
        """Return a file with *content*, kept in the database."""
        return cls(id, file_name, file_name, blob=Blob(content))


class Material(Protected):
    """A titled list of resources, as Links and LocalFiles."""

    def __init__(self, id: str, title: str, resources: tuple[Any, ...] = ()) -> None:
        self.id = id
        self.title = title
        self.resources = resources

    def getId(self) -> str:
        """Return the id, unique in what it belongs to."""
        return self.id

    def getTitle(self) -> str:
        """Return the title."""
        return self.title

    def getResourceList(self) -> list[Any]:
        """Return the resources; files that are kept here have the address they are read at."""
        return [self._addressed(resource) for resource in self.resources]

    def _addressed(self, resource: Any) -> Any:
        if getattr(resource, "blob", None) is None:
            return resource
        path = f"{self._owner.file_path()}/material/{quote(self.id)}/{resource.id}.bin"
        return replace(resource, url=path)

    def find(self, resource_id: str) -> Any:
        """Return the resource of that id, or None; a link has its place in the list for one."""
        for number, resource in enumerate(self.resources):
            if getattr(resource, "id", str(number)) == resource_id:
                return resource
        return None


class Paper(Material):
    """The material that every entry may have once: its paper."""


class Slides(Material):
    """Its slides."""


class Video(Material):
    """Its video."""


class Poster(Material):
    """Its poster."""


class Minutes(Material):
    """Its minutes."""


class Attachment(Protected):
    """A file or a link with what is known about it."""

    filename: str | None = None
    content_type: str | None = None
    size: int | None = None
    checksum: str | None = None
    link_url: str | None = None

    def __init__(self, id: int, title: str, type: str, **facts: Any) -> None:
        self.id = id
        self.title = title
        self.type = type
        self.description: str = facts.pop("description", "")
        self.download_url: str | None = facts.pop("download_url", None)
        self.modified_dt: str | None = facts.pop("modified_dt", None)
        for name, value in facts.items():
            setattr(self, name, value)


class Folder(Protected):
    """A list of attachments."""

    def __init__(
        self,
        id: int,
        title: str | None,
        description: str = "",
        default_folder: bool = False,
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        self.id = id
        self.title = title
        self.description = description
        self.default_folder = default_folder
        self.attachments = own_all(self, attachments)
