"""The OpenAPI document: every address, parameter and answer, from the table of resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from export.auth import caller
from export.auth.tokens import SCOPES
from export.formats import FORMATS, PLAIN
from export.http.parameter import Choice, Flag, Parameter
from export.http.selection import DAY, DETAIL, LIMIT, TZ
from export.openapi.fossil_schemas import FossilSchemas
from export.openapi.schema_documents import ANSWERS, address_of
from export.openapi.type_schema import PREFIX, Schema, either
from export.resource import Resource
from export.routing import CONVERTERS, PLACEHOLDER

PRETTY = Flag("pretty", "With `yes` the answer is indented for people.", ("p",))
ONLY_PUBLIC = Flag("onlypublic", "With `yes` one asks as nobody.", ("op",))
ONLY_AUTHED = Flag("onlyauthed", "With `yes` nobody is refused.", ("oa",))

ENDLESS = "text/event-stream"
CALLBACK = "Of jsonp the parameter `jsonp` names the function that is called."
TEXT: Schema = {"type": "string"}
ERROR: Schema = {"type": "object", "description": "An error.", "properties": {"message": TEXT}}
PROBLEM: Schema = {
    "type": "object",
    "description": "An error as RFC 9457 has it, for callers whose Accept names it.",
    "properties": {
        **{"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
        "errors": {"type": "array", "items": {"type": "object"}},
        "oldest": {"type": "string", "description": "The oldest position that is kept."},
    },
    "required": ["type", "title", "status", "detail"],
}
TOLD_BESIDE: Schema = {
    "type": "object",
    "properties": {
        "position": {"type": "string", "description": "The position to go on from."},
        "vanished": {
            "type": "array",
            "description": "What was there at `since`, and is not any more.",
            "items": {"type": "object", "properties": {"_type": TEXT, "id": {}}},
        },
        "next": {"type": "string", "description": "The address of the next page."},
    },
}
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of a user."},
    "key": {"type": "apiKey", "in": "query", "name": "ak", "description": "A key of a user."},
}


def document(resources: Iterable[Resource], base_url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *resources*."""
    schemas = FossilSchemas()
    zone = {"description": TZ.meaning, **TZ.schema}
    schemas.schemas |= {"Error": ERROR, "Problem": PROBLEM, "Zone": zone}
    paths: dict[str, dict[str, Any]] = {}
    for resource in resources:
        schemas.schemas |= {name: dict(schema) for name, schema in resource.schemas.items()}
        if resource.content_type == ENDLESS:
            continue  # a program that tries everything would wait
        for number, address in enumerate(_distinct(resource.addresses)):
            name = f"{resource.name}_{number}" if number else resource.name
            operation = _operation(resource, address, name, schemas)
            if any(told["schema"] for told in operation["responses"]["200"]["content"].values()):
                operation["externalDocs"] = _published(f"{ANSWERS}/{name}", base_url)
            paths.setdefault(template(address), {})[resource.method.lower()] = operation
    known = {
        name: {**schema, "externalDocs": _published(name, base_url)}
        for name, schema in schemas.schemas.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Export", "version": _version(), "description": _description()},
        "servers": [{"url": base_url or "/"}],
        "paths": paths,
        "components": {"schemas": known, "securitySchemes": SECURITY},
    }


def _published(name: str, base_url: str) -> Schema:
    return {"description": "The JSON Schema.", "url": address_of(name, base_url)}


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
    own = resource.shows if isinstance(resource.shows, Mapping) else None
    written = map(resource.written_as, resource.formats)
    kinds = map(_kind, written) if has_format else (resource.content_type,)
    told: dict[str, Any] = {kind: {"schema": {}} for kind in kinds}
    if has_format and resource.written_as("json") == "json" in resource.formats:
        told["application/json"] = {"schema": _result(resource, schemas)}
    elif own is not None:
        is_enveloped = resource.content_type == "application/json"
        schema = _result(resource, schemas) if is_enveloped else own
        told[resource.content_type] = {"schema": schema}
    errors = [FORMATS[name].CONTENT_TYPE for name in resource.formats if name in PLAIN]
    failed: dict[str, Any] = {kind: {"schema": {}} for kind in errors}
    failed["application/json"] = {"schema": {"$ref": f"{PREFIX}Error"}}
    failed["application/problem+json"] = {"schema": {"$ref": f"{PREFIX}Problem"}}
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
    shown = either(_shown(each, schemas) for each in fossils)
    results = either([shown, {"type": "array", "items": shown}]) if shown else {}
    return {
        "type": "object",
        "properties": {
            "_type": {"const": "HTTPAPIResult"},
            "count": {"type": "integer"},
            "additionalInfo": TOLD_BESIDE,
            "complete": {"type": "boolean"},
            "url": {"type": "string"},
            "ts": {"type": "integer"},
            "results": results,
        },
        "required": ["_type", "count", "additionalInfo", "complete", "url", "ts", "results"],
    }


def _shown(each: Any, schemas: FossilSchemas) -> Schema:
    if each is None:
        return {}
    return dict(each) if isinstance(each, Mapping) else schemas.reference(each)


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
