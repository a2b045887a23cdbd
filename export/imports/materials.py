"""The materials and folders of anything in a live Indico's answer."""

from __future__ import annotations

from export.imports.node import NONE, Node
from export.model.access import Protection
from export.model.material import (
    Attachment,
    Folder,
    Link,
    LocalFile,
    Material,
    Minutes,
    Paper,
    Poster,
    Slides,
    Video,
)

KINDS = {kind.__name__: kind for kind in (Paper, Slides, Video, Poster, Minutes)}
FACTS = {
    "download_url": str,
    "description": str,
    "modified_dt": str,
    "filename": str,
    "content_type": str,
    "size": int,
    "checksum": str,
    "link_url": str,
}


def materials(node: Node) -> tuple[Material, ...]:
    """Return the materials of *node*. Raises ImportRefused."""
    return tuple(_material(one) for one in node.nodes("material"))


def folders(node: Node) -> tuple[Folder, ...]:
    """Return the folders of *node*. Raises ImportRefused."""
    return tuple(_folder(one) for one in node.nodes("folders"))


def _material(node: Node) -> Material:
    resources = tuple(
        LocalFile(one.id(), one.text("name"), one.text("fileName"), one.text("url"))
        if "fileName" in one.data
        else Link(one.text("name"), one.text("url"))
        for one in node.nodes("resources")
    )
    kind = KINDS.get(node.data.get("_type", ""), Material)
    return kind(node.id(), node.text("title"), resources)


def _folder(node: Node) -> Folder:
    folder = Folder(
        node.get("id", int),
        node.get("title", str, NONE),
        node.text("description", default=""),
        node.get("default_folder", bool, default=False),
        tuple(_attachment(one) for one in node.nodes("attachments")),
    )
    _protect(folder, node)
    return folder


def _attachment(node: Node) -> Attachment:
    facts = {
        name: node.get(name, kind)
        for name, kind in FACTS.items()
        if node.data.get(name) is not None
    }
    attachment = Attachment(node.get("id", int), node.text("title"), node.get("type", str), **facts)
    _protect(attachment, node)
    return attachment


def _protect(part: Folder | Attachment, node: Node) -> None:
    if node.get("is_protected", bool, default=False):
        part._protection = Protection.RESTRICTED
