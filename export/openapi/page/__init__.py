"""The documentation page: every resource with its parameters, and a form to try it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any

from lxml.builder import E
from lxml.html import tostring

from export.formats.xml_text import printable

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The sources of the page: its own script and style, and answers of this server."""

ASSETS = {"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8"}
"""The files of the page with their types."""


def asset(name: str) -> bytes:
    """Return the content of a file of the page."""
    return files(__name__).joinpath(name).read_bytes()


def page(described: dict[str, Any], root: str) -> bytes:
    """Return the page in HTML for the OpenAPI document *described*, served below *root*."""
    text: bytes = tostring(
        E.html(
            E.head(
                E.meta(charset="utf-8"),
                E.title("The export"),
                E.link(rel="stylesheet", href=f"{root}/export/docs/page.css"),
                E.script("", src=f"{root}/export/docs/page.js", defer="defer"),
            ),
            E.body(
                {"data-root": root},
                E.h1("The export"),
                E.p(
                    "Everything that can be asked for, for programs as ",
                    E.a("OpenAPI", href=f"{root}/export/openapi.json"),
                    ". What is tried here is done.",
                ),
                E.p(E.label("Token ", E.input(id="token", type="password", autocomplete="off"))),
                *_operations(described["paths"]),
            ),
            lang="en",
        ),
        doctype="<!DOCTYPE html>",
        encoding="utf-8",
    )
    return text


def _operations(paths: dict[str, Any]) -> Iterator[Any]:
    for address, operations in paths.items():
        for method, operation in operations.items():
            yield E.details(
                {"id": operation["operationId"]},
                E.summary(
                    E.span(method.upper(), {"class": "method"}),
                    E.code(printable(address)),
                    f" {printable(operation['summary'])}",
                ),
                *(E.p(text) for text in operation["description"].split("\n\n") if text),
                E.form(
                    {
                        "data-method": method.upper(),
                        "data-address": address,
                        "data-kind": _kind(operation),
                    },
                    *_fields(operation),
                    E.button("Ask", type="submit"),
                    E.pre(hidden="hidden"),
                ),
            )


def _fields(operation: dict[str, Any]) -> Iterable[Any]:
    for each in operation["parameters"]:
        yield _label(each["name"], each["in"], each["schema"])
        yield E.small(printable(each.get("description", "")))
    for kind in operation.get("requestBody", {"content": {}})["content"].values():
        for name, schema in kind["schema"]["properties"].items():
            yield _label(name, "body", schema)
            yield E.small(printable(schema.get("description", "")))
        return


def _kind(operation: dict[str, Any]) -> str:
    """Return the type of what is posted; "" where nothing is."""
    return next(iter(operation.get("requestBody", {"content": {}})["content"]), "")


def _label(name: str, place: str, schema: dict[str, Any]) -> Any:
    attributes = {"name": name, "data-in": place, "autocomplete": "off"}
    if place == "path":
        attributes["required"] = "required"
    if "enum" not in schema:
        return E.label(name, E.input(attributes))
    empty = [] if place == "path" else [E.option("", value="")]
    options = (E.option(word, value=word) for word in schema["enum"])
    return E.label(name, E.select(attributes, *empty, *options))
