"""The words of the project: class names are unique, and names keep to the glossary."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache

from tests.house.sentences import HOME, PACKAGES

ROWS = [
    [cell.strip() for cell in line.strip("| ").split("|")]
    for line in (HOME / "docs/glossary.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| term |", "| --- |"))
]
TERMS = [(term, meaning, more[0] if more else "") for term, meaning, *more in ROWS]
# Attributes of stored objects, whose names stay with the data.
STORED = {"_lanes"}


@cache
def _modules():
    files = [file for package in PACKAGES for file in sorted((HOME / package).rglob("*.py"))]
    return [(file, ast.parse(file.read_text())) for file in files]


def _identifiers():
    """Yield each name that is defined, with its place."""
    for file, tree in _modules():
        yield file.stem, str(file.relative_to(HOME))
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                    name = node.name
                case ast.arg():
                    name = node.arg
                case ast.Name(ctx=ast.Store()):
                    name = node.id
                case ast.Attribute(ctx=ast.Store()):
                    name = node.attr
                case _:
                    continue
            yield name, f"{file.relative_to(HOME)}:{node.lineno}"


def _words(name):
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_a_class_name_is_defined_once_in_the_project():
    places = defaultdict(list)
    for file, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(HOME)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_term_of_the_glossary_is_explained_once():
    terms = [term for term, _, _ in TERMS]
    assert len(terms) > 40
    assert sorted(terms) == sorted(set(terms))


def test_a_term_of_the_glossary_has_one_sentence():
    wrong = [term for term, text, _ in TERMS if len(text) < 15 or re.search(r"[.!?]( |$)", text)]
    assert wrong == []


def test_words_that_the_glossary_rules_out_are_in_no_name():
    ruled_out = {
        form: term
        for term, _, others in TERMS
        for word in filter(None, re.split(r",\s*", others))
        for form in (word, f"{word}s")
    }
    assert "office" in ruled_out
    found = {
        place: f"{name}: say {ruled_out[word]!r} for {word!r}"
        for name, place in _identifiers()
        if name not in STORED
        for word in _words(name) & ruled_out.keys()
    }
    assert found == {}
