"""The OpenAPI document: every address, parameter and answer, from the table of resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from export.auth import caller
from export.auth.tokens import SCOPES
from export.formats import FORMATS, PLAIN
from export.http.parameter import Choice, Flag, Parameter
from export.http.selection import DAY, DETAIL, LIMIT, TZ
from export.openapi.fossil_schemas import PREFIX, FossilSchemas
from export.openapi.type_schema import Schema, either
from export.resource import Resource
from export.routing import CONVERTERS, PLACEHOLDER

PRETTY = Flag("pretty", "With `yes` the answer is indented for people.", ("p",))
ONLY_PUBLIC = Flag("onlypublic", "With `yes` one asks as nobody.", ("op",))
ONLY_AUTHED = Flag("onlyauthed", "With `yes` nobody is refused.", ("oa",))

ENDLESS = "text/event-stream"
CALLBACK = "Of jsonp the parameter `jsonp` names the function that is called."
ERROR: Schema = {
    "type": "object",
    "description": "An error.",
    "properties": {"message": {"type": "string"}},
}
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of a user."},
    "key": {"type": "apiKey", "in": "query", "name": "ak", "description": "A key of a user."},
}


def document(resources: Iterable[Resource], base_url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *resources*."""
    schemas = FossilSchemas()
    schemas.schemas |= {"Error": ERROR, "Zone": {"description": TZ.meaning, **TZ.schema}}
    paths: dict[str, dict[str, Any]] = {}
    for resource in resources:
        if resource.content_type == ENDLESS:
            continue  # a program that tries everything would wait
        for number, address in enumerate(_distinct(resource.addresses)):
            name = f"{resource.name}_{number}" if number else resource.name
            operation = _operation(resource, address, name, schemas)
            paths.setdefault(template(address), {})[resource.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Export", "version": _version(), "description": _description()},
        "servers": [{"url": base_url or "/"}],
        "paths": paths,
        "components": {"schemas": schemas.schemas, "securitySchemes": SECURITY},
    }


def template(address: str) -> str:
    """Return *address*, a rule of the routing table, as OpenAPI writes it."""
    return PLACEHOLDER.sub(lambda found: f"{{{found['name']}}}", address)


def parameters_of(resource: Resource) -> Iterator[Parameter]:
    """Yield what *resource* takes, with those that its formats and its door know."""
    most = {name: detail.most for name, detail in resource.details.items()}
    for each in resource.parameters:
        if each is DETAIL and most:
            yield Choice(each.name, each.meaning, each.aliases, words=tuple(most))
        elif each is LIMIT:
            yield replace(LIMIT, most=max(most.values(), default=resource.most))
        elif each not in (DETAIL, DAY):  # a day excludes from and to, which OpenAPI cannot say
            yield each
    if resource.door is caller.classic:
        yield from (ONLY_PUBLIC, ONLY_AUTHED)
    if set(resource.formats) & set(PLAIN) and "<word:format>" in resource.addresses[0]:
        yield PRETTY


def _operation(
    resource: Resource, address: str, name: str, schemas: FossilSchemas
) -> dict[str, Any]:
    summary, _, more = resource.description.partition("\n\n")
    given = list(parameters_of(resource))
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": " ".join(summary.split()),
        "description": more.strip(),
        "parameters": list(_in_path(resource, address)),
        "security": _security(resource),
        "responses": _responses(resource, schemas),
    }
    if resource.method == "GET":
        operation["parameters"] += [_in_query(each) for each in given]
    elif resource.body is not None:
        content = {"application/json": {"schema": resource.body}}
        operation["requestBody"] = {"required": "required" in resource.body, "content": content}
    elif given:
        operation["requestBody"] = _body(given)
    return operation


def _in_path(resource: Resource, address: str) -> Iterator[Schema]:
    takes_callback = "jsonp" in resource.formats
    for found in PLACEHOLDER.finditer(address):
        yield {
            "name": found["name"],
            "in": "path",
            "required": True,
            "description": CALLBACK if takes_callback and found["name"] == "format" else "",
            "schema": _part_schema(resource, found),
        }


def _part_schema(resource: Resource, found: Any) -> Schema:
    if found["name"] == "format":
        return {"type": "string", "enum": list(resource.formats)}
    if found["choices"]:
        return {"type": "string", "enum": found["choices"].split(", ")}
    converter = CONVERTERS[found["converter"]]
    return {"type": "string", "pattern": f"^{converter.described or converter.regex}$"}


def _in_query(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        **({"required": True} if parameter.is_needed else {}),
        "schema": {"$ref": f"{PREFIX}Zone"} if parameter is TZ else dict(parameter.schema),
    }


def _body(given: list[Parameter]) -> Schema:
    schema = {
        "type": "object",
        "properties": {each.name: {**each.schema, "description": each.meaning} for each in given},
        "required": [each.name for each in given if each.is_needed],
    }
    kinds = ("application/x-www-form-urlencoded", "application/json")
    is_needed = any(each.is_needed for each in given)
    return {"required": is_needed, "content": {kind: {"schema": schema} for kind in kinds}}


def _security(resource: Resource) -> list[dict[str, list[str]]]:
    if resource.door is caller.anybody:
        return []
    if resource.door is caller.token_only:
        return [{"token": []}]
    keys: list[dict[str, list[str]]] = [{"key": []}] if resource.door is caller.classic else []
    return [{}, {"token": []}, *keys]


def _responses(resource: Resource, schemas: FossilSchemas) -> dict[str, Any]:
    has_format = "<word:format>" in resource.addresses[0]
    written = map(resource.written_as, resource.formats)
    kinds = map(_kind, written) if has_format else (resource.content_type,)
    told: dict[str, Any] = {kind: {"schema": {}} for kind in kinds}
    if has_format and resource.written_as("json") == "json" in resource.formats:
        told["application/json"] = {"schema": _result(resource, schemas)}
    errors = [FORMATS[name].CONTENT_TYPE for name in resource.formats if name in PLAIN]
    failed: dict[str, Any] = {kind: {"schema": {}} for kind in errors}
    failed["application/json"] = {"schema": {"$ref": f"{PREFIX}Error"}}
    pending = {"202": {"description": "The task has not ended yet.", "content": told}}
    return {
        "200": {"description": "What is asked for.", "content": told},
        **(pending if resource.is_pending else {}),
        "304": {"description": "The caller has it already."},
        "4XX": {"description": "The request is refused; `message` says why.", "content": failed},
        "5XX": {"description": "The fault is on this side.", "content": failed},
    }


def _kind(name: str) -> str:
    return FORMATS[name].CONTENT_TYPE if name in FORMATS else "*/*"


def _result(resource: Resource, schemas: FossilSchemas) -> Schema:
    """Return the schema of an answer in JSON, which is an envelope around the results."""
    fossils = [each.fossil for each in resource.details.values()] or [resource.shows]
    shown = either(schemas.reference(each) if each is not None else {} for each in fossils)
    results = either([shown, {"type": "array", "items": shown}]) if shown else {}
    return {
        "type": "object",
        "properties": {
            "_type": {"const": "HTTPAPIResult"},
            "count": {"type": "integer"},
            "additionalInfo": {"type": "object"},
            "complete": {"type": "boolean"},
            "url": {"type": "string"},
            "ts": {"type": "integer"},
            "results": results,
        },
        "required": ["_type", "count", "additionalInfo", "complete", "url", "ts", "results"],
    }


def _distinct(addresses: tuple[str, ...]) -> list[str]:
    """Return *addresses* without those that differ from another by a slash at the end."""
    return [each for each in addresses if not each.endswith("/") or each[:-1] not in addresses]


def _version() -> str:
    try:
        return version("zodb-relay")
    except PackageNotFoundError:  # it runs from a folder
        return "0"


def _description() -> str:
    scopes = "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in SCOPES.items())
    return f"What is exported. The scopes of tokens:\n\n{scopes}"
