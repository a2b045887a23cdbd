"""The materials and folders of anything in a live Indico's answer.

Indico 3 tells a folder twice: as a folder, which says whether it is protected, and as a material,
which does not. A material is closed if its folder is; a closed file in an open one is set apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from export.imports.draft import Draft
from export.imports.ids import reachable
from export.imports.indico.visibility import AccessRule, RuleOrNone, rule_of
from export.imports.node import NONE, Node
from export.model.entry import own_all
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
ADDRESSES = ("download_url", "link_url")
SET_APART = "_restricted"
"""Suffix of the id of a material that holds the restricted files of another one."""


@dataclass(frozen=True)
class Shelf:
    """Everything that lies at one entry, whose rule is *above*."""

    draft: Draft
    above: RuleOrNone

    def fill(self, entry: object, node: Node) -> None:
        """Give *entry* the folders and materials of *node*. Raises ImportRefused."""
        closed: dict[str, AccessRule] = {}
        folders = tuple(self._folder(one, closed) for one in node.nodes("folders"))
        told = {_folder_key(folder) for folder in folders}
        materials = tuple(
            part for one in node.nodes("material") for part in self._materials(one, closed, told)
        )
        entry.folders = own_all(entry, folders)  # type: ignore[attr-defined]
        entry.materials = own_all(entry, materials)  # type: ignore[attr-defined]

    def _folder(self, node: Node, closed: dict[str, AccessRule]) -> Folder:
        rule = rule_of(node)
        folder = Folder(
            node.get("id", int),
            node.get("title", str, NONE),
            node.text("description", default=""),
            node.get("default_folder", bool, default=False),
            tuple(self._attachment(one, rule, closed) for one in node.nodes("attachments")),
        )
        if rule is not None:
            self.draft.visibility.close(folder, rule, self.above)
            closed[_folder_key(folder)] = rule
        return folder

    def _attachment(
        self, node: Node, above: RuleOrNone, closed: dict[str, AccessRule]
    ) -> Attachment:
        facts = {
            name: node.get(name, kind)
            for name, kind in FACTS.items()
            if node.data.get(name) is not None
        }
        for name in ADDRESSES:
            if name in facts:
                facts[name] = self.draft.address(node, name) or None
        attachment = Attachment(
            node.get("id", int), node.text("title"), node.get("type", str), **facts
        )
        rule = rule_of(node)
        if rule is not None:
            self.draft.visibility.close(attachment, rule, above)
        for key in _file_keys(attachment.id, *(facts.get(name) for name in ADDRESSES)):
            if rule is not None or above is not None:
                closed[key] = rule or above or AccessRule()
        return attachment

    def _materials(
        self, node: Node, closed: dict[str, AccessRule], told: set[str]
    ) -> Iterator[Material]:
        """Yield the material of *node*, and the one with those of its files that are closed."""
        material_id = reachable(node.id())
        kind = KINDS.get(node.data.get("_type", ""), Material)
        rule = rule_of(node) or closed.get(f"folder {node.id()}")
        resources = [one for one in map(self._resource, node.nodes("resources")) if one is not None]
        secret = [] if rule is not None else [one for one in resources if _rule(one, closed)]
        material = kind(
            material_id,
            node.text("title"),
            tuple(one for one in resources if one not in secret),
        )
        if rule is not None:
            self.draft.visibility.close(material, rule, self.above)
        elif f"folder {node.id()}" not in told and "note" not in node.data:
            self.draft.visibility.untold["material"] += 1
        yield material
        if secret:
            apart = Material(f"{material_id}{SET_APART}", node.text("title"), tuple(secret))
            rules = [_rule(one, closed) or AccessRule() for one in secret]
            common = rules[0]
            for each in rules[1:]:
                common &= each
            self.draft.visibility.close(apart, common, self.above)
            yield apart

    def _resource(self, node: Node) -> Link | LocalFile | None:
        address = self.draft.address(node, "url")
        if not address:
            return None
        if "fileName" in node.data:
            return LocalFile(
                reachable(node.id()), node.text("name"), node.text("fileName"), address
            )
        return Link(node.text("name"), address)


def _folder_key(folder: Folder) -> str:
    return f"folder {folder.id}"


def _file_keys(file_id: object, *addresses: str | None) -> Iterator[str]:
    yield f"file {file_id}"
    yield from (address for address in addresses if address)


def _rule(resource: Link | LocalFile, closed: dict[str, AccessRule]) -> RuleOrNone:
    own = f"file {resource.id}" if isinstance(resource, LocalFile) else ""
    return closed.get(own) or closed.get(resource.url)
