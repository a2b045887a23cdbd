"""Fields of MARC for the access to an object, and for its files and links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ZODB.blob import Blob
from ZODB.interfaces import BlobError

from export.fossils.installation import address_of
from livesync.objects.object_model import ask, has_method, is_restricted, may_see
from livesync.records.marc.field import MarcField


def visibility(obj: Any) -> MarcField:
    """Return the field that tells whether everybody may see *obj*."""
    name = "INDICOSEARCH.PRIVATE" if is_restricted(obj) else "INDICOSEARCH.PUBLIC"
    return MarcField("980__", ("a", name))


def access_list(obj: Any, resource: str | None = None) -> Iterator[MarcField]:
    """Yield the fields that tell who may see *obj*, or with its id one of its resources."""
    about = ("3", resource)
    if not is_restricted(obj):
        # A field without any subfield would not be valid.
        yield MarcField("5060_", about if resource else ("a", ""))
        return
    allowed = list(ask(obj, "getRecursiveAllowedToAccessList") or ())
    groups = sorted(_account(who) for who in allowed if has_method(who, "getMemberList"))
    users = sorted(_account(who) for who in allowed if not has_method(who, "getMemberList"))
    domains = sorted(map(_account, ask(obj, "getDomainList") or ()))
    for names, kind in ((groups, "group"), (users, "username"), (domains, "domain")):
        if names:
            yield MarcField("5061_", *(("d", name) for name in names), ("f", kind), about)
    if not (allowed or domains):
        # Nobody is listed, and that is not the same as everybody.
        yield MarcField("5061_", ("f", "username"), about)


def resources(obj: Any, uid: str, access: Any) -> Iterator[MarcField]:
    """Yield the files and links of *obj*, known as *uid*, that *access* may see."""
    for material in ask(obj, "getMaterialList") or ():
        if may_see(material, access):
            for number, resource in enumerate(ask(material, "getResourceList") or ()):
                own = getattr(resource, "id", number)
                name = f"INDICO.{uid}m{material.getId()}.{own}"
                yield _resource(resource, material, name, address_of(obj, resource.url))
                yield from access_list(material, name)


def _resource(resource: Any, material: Any, name: str, url: Any) -> MarcField:
    description = getattr(resource, "description", None) or None
    if not hasattr(resource, "file_name"):
        return MarcField(
            "8564_",
            ("a", description),
            ("u", url),
            ("3", name),
            ("x", "resource"),
            ("z", "external"),
            ("y", ask(material, "getTitle")),
        )
    return MarcField(
        "8564_",
        ("a", description),
        ("s", _size(resource)),
        ("u", url),
        ("3", name),
        ("y", resource.file_name),
        ("z", "stored"),
        ("x", "resource"),
    )


def _size(resource: Any) -> int | None:
    blob = getattr(resource, "blob", None)
    if not isinstance(blob, Blob):
        return None
    try:
        with blob.open("r") as file:
            return int(file.seek(0, 2))
    except (BlobError, OSError):
        return None


def _account(who: Any) -> str:
    return who if isinstance(who, str) else str(who.getId())
