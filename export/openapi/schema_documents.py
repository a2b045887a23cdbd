"""The JSON Schemas as documents of their own, with an address and a version.

Within a version nothing is taken out or given another type; what comes to it is optional for
readers. Each document has all that it refers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from export.openapi.type_schema import PREFIX, Schema

VERSION = "1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CONTENT_TYPE = "application/schema+json"
ADDRESS = f"/export/schemas/{VERSION}"
ANSWERS = "answers"
JSON = "application/json"


def address_of(name: str, base_url: str = "") -> str:
    """Return the address of the schema *name*, of an answer with `answers/` before it."""
    return f"{base_url}{ADDRESS}/{name}.json"


def schema_names(described: Mapping[str, Any]) -> list[str]:
    """Return the names of all schemas of *described*, an OpenAPI document.

    That are its components, and the answers in JSON of each operation.
    """
    return list(_schemas(described))


def schema_document(name: str, described: Mapping[str, Any], base_url: str) -> Schema | None:
    """Return the schema *name* of *described* as a document of its own; None for no such."""
    schema = _schemas(described).get(name)
    known: Mapping[str, Schema] = described["components"]["schemas"]
    return None if schema is None else _document(name, schema, known, base_url)


def _schemas(described: Mapping[str, Any]) -> dict[str, Schema]:
    answers = {f"{ANSWERS}/{name}": schema for name, schema in _answers(described)}
    return {**described["components"]["schemas"], **answers}


def _answers(described: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    for operations in described["paths"].values():
        for operation in operations.values():
            for content in operation["responses"]["200"]["content"].values():
                if content["schema"]:
                    yield operation["operationId"], content["schema"]


def _document(name: str, schema: Schema, known: Mapping[str, Schema], base_url: str) -> Schema:
    needed: dict[str, Schema] = {}
    _collect(schema, known, needed)
    own = {key: value for key, value in schema.items() if key != "externalDocs"}
    definitions = {key: _relocated(value) for key, value in needed.items()}
    told = {"$schema": DIALECT, "$id": address_of(name, base_url), **_relocated(own)}
    return told | ({"$defs": definitions} if definitions else {})


def _collect(schema: Any, known: Mapping[str, Schema], needed: dict[str, Schema]) -> None:
    """Put into *needed* all of the *known* schemas to which *schema* refers."""
    for reference in _references(schema):
        name = reference.removeprefix(PREFIX)
        if name not in needed:
            needed[name] = {
                key: value for key, value in known[name].items() if key != "externalDocs"
            }
            _collect(needed[name], known, needed)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from _references(value)


def _relocated(schema: Any) -> Any:
    """Return *schema* with references to the definitions of its own document."""
    if isinstance(schema, Mapping):
        moved = {key: _relocated(value) for key, value in schema.items()}
        if isinstance(schema.get("$ref"), str):
            moved["$ref"] = f"#/$defs/{schema['$ref'].removeprefix(PREFIX)}"
        return moved
    if isinstance(schema, list | tuple):
        return [_relocated(value) for value in schema]
    return schema
